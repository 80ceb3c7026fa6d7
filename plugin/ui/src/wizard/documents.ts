/** Step 1: what is asked, for which documents. */
import { html, nothing, type TemplateResult } from "lit";
import { css } from "../element";
import { icon, type IconName } from "../icons";
import { megabytes, size, t, tn } from "../i18n";
import { sheetIcon } from "../parts";
import type { Inspected, Kind, TypeInfo } from "../types";
import { kindWords } from "../words";
import { isSignature, problemsOf, usable, type Draft } from "./draft";

export interface DocumentsView {
  draft: Draft;
  base: string;
  types: TypeInfo[];
  documents: Inspected[];
  limit_bytes: number;
  loading: boolean;
  uploading: string;
  refused: { name: string; reason: string }[];
  over: boolean;
  choose(kind: Kind): void;
  remove(file_id: string): void;
  add(files: FileList): void;
  hover(over: boolean): void;
}

const SIGNATURES: Kind[] = ["signature", "eidas_simple", "eidas_advanced"];

/** One type to choose; several kinds: the first of them that is there, blocked when none is. */
function choice(view: DocumentsView, o: { kinds: Kind[]; group: string; title: string; about: string; pic: IconName; on: boolean; test: string }): TemplateResult {
  const found = view.types.filter((one) => o.kinds.includes(one.kind));
  const type = found.find((one) => one.available) ?? found[0];
  const blocked = type && !type.available;
  const kind = type?.kind ?? o.kinds[0]; // chosen before the types have come, it is chosen all the same
  return html`<label class="pf-choice ${o.on ? "on" : ""} ${blocked ? "off" : ""}">
    <input type="radio" name=${o.group} .checked=${o.on} aria-disabled=${Boolean(blocked)} data-test=${o.test}
      @change=${(event: Event) => { if (blocked) (event.target as HTMLInputElement).checked = o.on; else if (kind) view.choose(kind); }}
      @click=${(event: Event) => blocked && event.preventDefault()} />
    <span class="pic">${icon(o.pic)}</span>
    <span class="col tight"><span class="b">${o.title}</span><span class="sm mute">${o.about}</span>
      ${blocked ? html`<span class="sm why">${icon("info", "s14")}${type.reason}</span>` : nothing}</span>
  </label>`;
}

function row(view: DocumentsView, document: Inspected): TemplateResult {
  const problems = problemsOf(document, view.draft.kind);
  const facts = [document.pages ? tn("{n} page", "{n} pages", document.pages) : "", size(document.size_bytes)].filter(Boolean).join(" · ");
  return html`<li class=${problems.length ? "bad" : ""} data-test="document" data-name=${document.name}>
    ${sheetIcon(document.name)}
    <div class="grow col tight"><span class="b ell">${document.name}</span>
      ${problems.length
        ? html`<span class="sm" role="alert">${problems.map((p) => p.message).join(" ")}</span>`
        : html`<span class="sm mute">${facts}${view.draft.kind === "validation" && !document.is_pdf ? ` · ${t("No preview, download")}` : ""}</span>`}
      ${document.signatures && !problems.length ? html`<span class="sm mute">${tn("Holds a signature already; it stays valid.", "Holds {n} signatures already; they stay valid.", document.signatures)}</span>` : nothing}
    </div>
    <button type="button" class="pf-btn quiet ico" aria-label=${t("Remove “{name}”", { name: document.name })} @click=${() => view.remove(document.file_id)}>${icon("close")}</button>
  </li>`;
}

function gauge(view: DocumentsView): TemplateResult {
  const documents = usable(view.documents, view.draft.kind);
  const total = documents.reduce((sum, d) => sum + d.size_bytes, 0);
  const share = view.limit_bytes ? total / view.limit_bytes : 0;
  const look = share > 1 ? "over" : share > 0.8 ? "high" : "";
  const text = t("{used} / {limit} MB", { used: megabytes(total), limit: megabytes(view.limit_bytes) });
  return html`<div class="pf-gauge ${look}">
    <div class="row"><h2 class="sm b grow">${t("Signature collection")}</h2><output class="sm b num" data-test="gauge" aria-live="polite">${text}</output></div>
    <div class="bar" role="meter" aria-label=${t("Signature collection")} aria-valuemin="0" aria-valuemax=${view.limit_bytes} aria-valuenow=${total} aria-valuetext=${text}>
      ${documents.map((d) => html`<i ${css({ width: `${((d.size_bytes / Math.max(total, view.limit_bytes, 1)) * 100).toFixed(2)}%` })}></i>`)}
    </div>
    ${share > 1 ? html`<p class="pf-err">${icon("alert", "s16")}${t("The collection is {over} MB over {limit} MB. Remove a document, or create a second workflow.", { over: megabytes(total - view.limit_bytes), limit: megabytes(view.limit_bytes) })}</p>` : nothing}
  </div>`;
}

function drop(view: DocumentsView): TemplateResult {
  const stop = (event: DragEvent) => { event.preventDefault(); event.stopPropagation(); };
  return html`<div class="pf-drop ${view.over ? "over" : ""}" data-test="drop"
      @dragenter=${(e: DragEvent) => { stop(e); view.hover(true); }} @dragover=${(e: DragEvent) => { stop(e); view.hover(true); }}
      @dragleave=${() => view.hover(false)}
      @drop=${(e: DragEvent) => { stop(e); view.hover(false); if (e.dataTransfer?.files.length) view.add(e.dataTransfer.files); }}>
      ${view.uploading ? html`<span class="pf-spin"></span><span aria-live="polite">${t("Adding {name}", { name: view.uploading })}</span>`
        : html`${icon("upload", "s32")}<span class="b">${view.over ? t("Drop to add") : t("Drag more PDFs here")}</span>
          <span class="sm">${t("PDF only, {limit} MB for the whole collection", { limit: megabytes(view.limit_bytes) })}</span>`}
    </div>
    <input class="vh" type="file" accept="application/pdf,.pdf" multiple tabindex="-1" aria-hidden="true" data-test="add-input"
      @change=${(e: Event) => { const input = e.target as HTMLInputElement; if (input.files?.length) view.add(input.files); input.value = ""; }} />
    <button type="button" class="pf-btn full" @click=${(e: Event) => (e.currentTarget as HTMLElement).parentElement?.querySelector<HTMLInputElement>("input[type=file]")?.click()}>${icon("upload")}${t("Upload from computer")}</button>
    <p class="sm mute">${t("All documents follow the same route and are signed together.")}</p>`;
}

export function documentsStep(view: DocumentsView): TemplateResult {
  const { kind } = view.draft;
  const signing = isSignature(kind);
  const level = (one: Kind) => {
    const words = kindWords(one);
    return choice(view, { kinds: [one], group: "pf-level", title: words.short, about: words.about, pic: words.pic, on: kind === one, test: `level-${one}` });
  };
  return html`<div class="wz-in wz-2">
    <div class="col sections">
      <fieldset class="col"><legend><h2>${t("What do you need?")}</h2></legend>
        <div class="pf-choices two">
          ${choice(view, { kinds: ["validation"], group: "pf-kind", title: t("Approval"), about: t("Approve or refuse. One or more files of any type."), pic: "approve", on: kind === "validation", test: "type-validation" })}
          ${choice(view, { kinds: SIGNATURES, group: "pf-kind", title: t("Signature"), about: t("Put a stamp on one or more PDFs."), pic: "sign", on: signing, test: "type-signature" })}
        </div></fieldset>
      ${kind !== "validation" ? html`<fieldset class="col"><legend><h2>${t("Type of signature")}</h2></legend>
        <div class="pf-choices three">${level("signature")}${level("eidas_simple")}${level("eidas_advanced")}</div></fieldset>` : nothing}
      <section class="col"><h2>${kind === "" ? t("Documents") : signing ? t("Documents to sign") : t("Files to approve")}</h2>
        ${view.loading ? html`<p class="row mute"><span class="pf-spin"></span>${t("Reading the documents")}</p>` : nothing}
        ${view.documents.length || view.refused.length ? html`<ul class="pf-card pf-files">
          ${view.documents.map((d) => row(view, d))}
          ${view.refused.map((r) => html`<li class="bad">${sheetIcon(r.name)}<div class="grow col tight"><span class="b ell">${r.name}</span><span class="sm" role="alert">${r.reason}</span></div></li>`)}
        </ul>` : view.loading ? nothing : html`<p class="pf-note plain">${icon("info")}${t("No document yet. Choose files on the Files page, then right-click: Workflow.")}</p>`}
      </section>
      ${view.draft.file_ids.length === 1 ? html`<parapheur-panel quiet base=${view.base} file-id=${view.draft.file_ids[0] ?? ""}></parapheur-panel>` : nothing}
    </div>
    <aside class="pf-card pad col wide">${signing
      ? html`${gauge(view)}${drop(view)}`
      : kind === "" ? html`<p class="row b">${icon("flow")}${t("One route for all documents")}</p>
        <p class="sm mute">${t("All of them go to the same people, in the same order. What you need decides which documents can take part.")}</p>`
      : html`<p class="row b">${icon("approve")}${t("One decision for all files")}</p>
        <p class="sm mute">${t("Each person approves or refuses all the files at once. A refusal needs a reason and ends the workflow.")}</p>`}</aside>
  </div>`;
}
