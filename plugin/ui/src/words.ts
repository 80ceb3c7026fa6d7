import { t } from "./i18n";
import type { FlowState, Kind, RecipientState } from "./types";
import type { IconName } from "./icons";

export function kindName(kind: Kind): string {
  if (kind === "validation") return t("Document approval");
  if (kind === "signature") return t("Digitised signature");
  return kind === "eidas_simple" ? t("eIDAS signature, simple") : t("eIDAS signature, advanced");
}

export interface KindWords {
  short: string;
  about: string;
  pic: IconName;
}

/** As the menu and the wizard name a kind beside its siblings. */
export function kindWords(kind: Kind): KindWords {
  if (kind === "validation") return { short: t("Document approval"), about: t("Approve or refuse, any file"), pic: "approve" };
  if (kind === "signature") return { short: t("Digitised"), about: t("Drawn stamp or image"), pic: "stamp" };
  if (kind === "eidas_simple") return { short: t("eIDAS simple"), about: t("Trust provider, SMS code"), pic: "phone" };
  return { short: t("eIDAS advanced"), about: t("SMS and ID document"), pic: "card" };
}

export function stateTag(state: FlowState): { word: string; look: string; pic: IconName } {
  switch (state) {
    case "running": return { word: t("Running"), look: "info", pic: "clock" };
    case "suspended": return { word: t("Suspended"), look: "wait", pic: "clock" };
    case "completed": return { word: t("Finished"), look: "ok", pic: "check" };
    case "refused": return { word: t("Refused"), look: "danger", pic: "close" };
    case "cancelled": return { word: t("Cancelled"), look: "", pic: "close" };
    case "expired": return { word: t("Expired"), look: "", pic: "clock" };
  }
}

export function recipientTag(state: RecipientState, kind: Kind): { word: string; look: string } {
  switch (state) {
    case "signed": return { word: t("Signed"), look: "ok" };
    case "approved": return { word: t("Approved"), look: "ok" };
    case "refused": return { word: t("Refused"), look: "danger" };
    case "invited":
    case "viewed": return { word: kind === "validation" ? t("To decide") : t("To sign"), look: "wait" };
    case "skipped": return { word: t("Not needed"), look: "" };
    case "replaced": return { word: t("Replaced"), look: "" };
    default: return { word: "", look: "" };
  }
}

export function initials(name: string): string {
  const letters = name.split(/[\s@.]+/).map((word) => /[\p{L}\p{N}]/u.exec(word)?.[0] ?? "");
  return letters.filter(Boolean).slice(0, 2).join("").toUpperCase();
}

/** The two things a file's name says at a glance: which colour its sheet has, and the letters on it. */
export function fileLook(name: string): { look: string; letters: string } {
  const ending = name.includes(".") ? (name.split(".").pop() ?? "").toLowerCase() : "";
  const families: Record<string, string[]> = {
    pdf: ["pdf"], doc: ["doc", "docx", "odt", "txt", "md"], xls: ["xls", "xlsx", "ods", "csv"], img: ["png", "jpg", "jpeg", "gif", "webp"],
  };
  const look = Object.entries(families).find(([, endings]) => endings.includes(ending))?.[0] ?? "";
  return { look, letters: ending.slice(0, 4).toUpperCase() };
}
