/** What the wizard knows so far, and what is still missing. No page, no network. */
import { Declined, sentence } from "../api";
import { t } from "../i18n";
import type { Box, Inspected, Kind, TypeInfo } from "../types";

export interface Person {
  key: string; // login, or e-mail in lower case
  user: string | null;
  email: string | null;
  name: string;
  first_name: string;
  last_name: string;
  language: "fr" | "en";
  comment: string;
  with_text: boolean;
}

export interface Stamp {
  id: number;
  file_id: string;
  page: number;
  person: string;
  box: Box;
}

export interface Draft {
  kind: Kind | ""; // empty: not chosen yet
  guessed?: boolean; // it was the only one there; nobody chose it
  file_ids: string[];
  people: Person[];
  stamps: Stamp[];
  title: string;
  comment: string;
  copy_to_all: boolean;
  step: StepName;
  key?: string; // of the launch: a second attempt makes no second flow
  keyFor?: string; // what was sent under that key
}

export type StepName = "documents" | "recipients" | "placement" | "recap";

export function fresh(kind: Kind | "", file_ids: string[]): Draft {
  return { kind, file_ids, people: [], stamps: [], title: "", comment: "", copy_to_all: true, step: "documents" };
}

/** Without a kind: the steps that there are in any case. */
export const stepsOf = (kind: Kind | ""): StepName[] => [...(["documents", "recipients"] as const), ...(isSignature(kind) ? (["placement"] as const) : []), "recap"];

export const isSignature = (kind: Kind | "") => kind !== "" && kind !== "validation";

/** Problems that keep a file out of every flow, not only out of a signature. */
const ALWAYS = new Set(["no-such-file", "is-a-folder", "not-found", "no-access", "duplicate-document"]);

const APPROVAL_ONLY = "file-over-the-limit";

/** Before the kind is known: what spoils either. */
export const problemsOf = (document: Inspected, kind: Kind | "") =>
  document.problems.filter((p) => ALWAYS.has(p.code) || (kind === "validation" ? p.code === APPROVAL_ONLY : isSignature(kind) && p.code !== APPROVAL_ONLY));

/** The one kind of those that are there, if it is one alone. */
export const onlyKind = (types: TypeInfo[]): Kind | "" => {
  const open = types.filter((one) => one.available);
  return open.length === 1 && open[0] ? open[0].kind : "";
};

export const usable = (documents: Inspected[], kind: Kind | "") => documents.filter((d) => !problemsOf(d, kind).length);

export const stem = (name: string) => name.replace(/\.[^.]{1,5}$/, "");

export function missing(document: Inspected, draft: Draft): Person[] {
  return draft.people.filter((p) => !draft.stamps.some((s) => s.file_id === document.file_id && s.person === p.key));
}

export const colour = (index: number) => `c${(index % 6) + 1}`;

export const isEmail = (text: string) => /^[^\s@,;<>"]+@[^\s@,;<>"]+\.[^\s@.,;<>"]{2,}$/.test(text);

function storageKey(): string {
  return `parapheur draft ${location.search}`;
}

export function remember(draft: Draft): void {
  try {
    sessionStorage.setItem(storageKey(), JSON.stringify(draft));
  } catch {
    // a full or forbidden storage only costs the reload
  }
}

export function recall(): Draft | null {
  try {
    return JSON.parse(sessionStorage.getItem(storageKey()) ?? "null") as Draft | null;
  } catch {
    return null;
  }
}

export function forget(): void {
  try {
    sessionStorage.removeItem(storageKey());
  } catch {
    // nothing was kept
  }
}

const sentStamps = (draft: Draft, documents: Inspected[]) =>
  !isSignature(draft.kind) ? [] : draft.stamps.filter(
    (s) => documents.some((d) => d.file_id === s.file_id) && draft.people.some((p) => p.key === s.person),
  );

/** Pages that came over plain HTTP have no randomUUID. */
export const newKey = (): string =>
  crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What a path of the launch's body is called in the wizard; empty where it has no name there. */
export function fieldName(path: string, draft: Draft, documents: Inspected[]): string {
  const [, list, position] = /^(\w+)(?:\[(\d+)\])?/.exec(path) ?? [];
  const n = Number(position ?? -1);
  switch (list) {
    case "title": return t("Workflow name");
    case "comment": return t("Comment for recipients");
    case "kind": return t("Type");
    case "documents": return documents[n]?.name ?? t("Documents");
    case "placements": {
      const stamp = sentStamps(draft, documents)[n];
      if (!stamp) return t("Stamps");
      const name = draft.people.find((p) => p.key === stamp.person)?.name ?? "";
      return t("Stamp of {name}, page {page}", { name, page: stamp.page });
    }
    case "recipients": {
      const name = draft.people[n]?.name;
      if (!name) return t("Recipients");
      if (path.endsWith(".comment")) return t("Message for {name}", { name });
      if (path.endsWith(".first_name")) return `${name}, ${t("First name (optional)")}`;
      return path.endsWith(".last_name") ? `${name}, ${t("Last name (optional)")}` : name;
    }
    default: return "";
  }
}

/** Why a launch was declined: the sentence, and beside each field what is wrong with it. */
export function declined(error: unknown, draft: Draft, documents: Inspected[]): string {
  const first = sentence(error);
  const fields = error instanceof Declined ? (error.problem.errors ?? []) : [];
  const lines = fields.map(({ path, message, title }) => {
    const field = fieldName(path ?? "", draft, documents);
    const problem = message ?? title ?? "";
    return field && problem ? t("{field}: {problem}", { field, problem }) : problem;
  });
  const more = [...new Set(lines)].filter((line) => line && line !== first);
  const only = fields.length === 1 && (fields[0]?.message ?? "") === first && more.length;
  return (only ? more : [first, ...more]).join("\n");
}

/** The body of POST /flows. The server knows the sender's time zone. */
export function launchBody(draft: Draft, documents: Inspected[]): Record<string, unknown> {
  const position = new Map(documents.map((d, i) => [d.file_id, i]));
  const person = new Map(draft.people.map((p, i) => [p.key, i]));
  const text = (value: string) => value.trim() || undefined;
  return {
    kind: draft.kind,
    title: text(draft.title),
    comment: text(draft.comment),
    copy_to_all: isSignature(draft.kind) && draft.copy_to_all,
    documents: documents.map((d) => ({ file_id: d.file_id })),
    recipients: draft.people.map((p) =>
      p.user
        ? { user: p.user, comment: text(p.comment) }
        : { email: p.email, first_name: text(p.first_name), last_name: text(p.last_name), language: p.language, comment: text(p.comment) },
    ),
    placements: sentStamps(draft, documents).map((s) => ({
      document: position.get(s.file_id),
      page: s.page,
      recipient: person.get(s.person),
      box: s.box,
      with_text: draft.people[person.get(s.person) ?? 0]?.with_text ?? false,
    })),
  };
}
