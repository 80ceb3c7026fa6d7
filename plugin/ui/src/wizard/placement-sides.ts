/** Left and right of the desk: the documents with their badges, the signatories' cartridges. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icons";
import { t, tn } from "../i18n";
import { colour, missing, type Person } from "./draft";
import type { Placement } from "./placement";

const MOST_THUMBS = 40;
const MOST_NAMES = 3;

function lackingNames(people: Person[]): string {
  const names = people.slice(0, MOST_NAMES).map((p) => p.first_name || p.name.split(/[ @]/)[0]).join(", ");
  const more = people.length - MOST_NAMES;
  return more > 0 ? tn("Missing: {names} and one more", "Missing: {names} and {n} more", more, { names }) : t("Missing: {names}", { names });
}

function thumbs(placement: Placement, index: number): TemplateResult | typeof nothing {
  const document = placement.documents[index];
  if (!document || index !== placement.current) return nothing;
  const stamps = placement.draft.stamps.filter((s) => s.file_id === document.file_id);
  return html`<div class="pl-thumbs">${Array.from({ length: Math.min(document.pages ?? 0, MOST_THUMBS) }, (_, i) => {
    const page = i + 1;
    const [w, h] = document.page_sizes_pt[i] ?? [595, 842];
    return html`<button type="button" aria-current=${placement.page === page ? "true" : nothing} aria-label=${t("Page {page}", { page })} @click=${() => placement.goTo(page)}>
      <span class="pf-sheet"><img src="${placement.base}api/v1/documents/${document.file_id}/pages/${page}?w=200" width=${Math.round(w)} height=${Math.round(h)} loading="lazy" alt="" />
        ${stamps.some((s) => s.page === page) ? html`<span class="bars">${stamps.filter((s) => s.page === page).map((s) => html`<i class=${colour(placement.draft.people.findIndex((p) => p.key === s.person))}></i>`)}</span>` : nothing}</span>${page}</button>`;
  })}</div>`;
}

export function documentList(placement: Placement): TemplateResult {
  const { documents, draft } = placement;
  const ready = documents.filter((d) => !missing(d, draft).length).length;
  return html`<aside class="pl-docs" aria-label=${t("Documents")}>
    <div class="row"><h2 class="grow">${t("Documents")}</h2><span class="sm mute">${tn("{n} of {total} ready", "{n} of {total} ready", ready, { total: documents.length })}</span></div>
    <ul class="col">${documents.map((document, i) => {
      const lacking = missing(document, draft);
      const stamps = draft.stamps.filter((s) => s.file_id === document.file_id).length;
      return html`<li class="pl-doc ${i === placement.current ? "on" : ""}">
        <button type="button" class="hd" aria-current=${i === placement.current ? "true" : nothing} data-test="place-doc-${i}" data-ready=${!lacking.length} @click=${() => placement.show(i, 1)}>
          <span class="pl-badge ${lacking.length ? "wait" : "ok"}" aria-hidden="true">${icon(lacking.length ? "clock" : "check", "s14")}</span>
          <span><span class="name">${document.name}</span><br />${lacking.length
            ? html`<span class="lack">${lackingNames(lacking)}</span>`
            : html`<span class="fine">${tn("Ready: one stamp", "Ready: {n} stamps", stamps)}</span>`}</span></button>
        ${thumbs(placement, i)}</li>`;
    })}</ul>
    <p class="pf-note plain pl-hint">${icon("info")}${t("One stamp per document and signatory is enough. No need to initial each page.")}</p></aside>`;
}

export function cartridge(placement: Placement, person: Person, index: number, complete: boolean): TemplateResult {
  const { documents, draft } = placement;
  const done = documents.filter((d) => draft.stamps.some((s) => s.file_id === d.file_id && s.person === person.key)).length;
  const armed = placement.armed === person.key;
  const look = (withText: boolean, label: string) => html`<button type="button" role="radio" aria-checked=${person.with_text === withText} tabindex=${person.with_text === withText ? 0 : -1} @click=${() => placement.setText(person.key, withText)}>${label}</button>`;
  const turn = (e: KeyboardEvent) => {
    if (!e.key.startsWith("Arrow")) return;
    e.preventDefault();
    placement.setText(person.key, !person.with_text);
    const group = e.currentTarget as HTMLElement;
    void placement.updateComplete.then(() => group.querySelector<HTMLElement>("[aria-checked=true]")?.focus());
  };
  return html`<section class="pf-cart ${colour(index)} ${armed ? "on" : ""}">
    <div class="hd"><span class="pf-node fill small" aria-hidden="true">${index + 1}</span><h3 class="grow ell">${person.name}</h3>
      <span class="pf-tag ${done === documents.length ? "ok" : "wait"}">${icon(done === documents.length ? "check" : "clock", "s14")}${done} / ${documents.length}</span></div>
    <button type="button" class="drag" data-test="place-cart-${index}" aria-pressed=${armed}
      @pointerdown=${(e: PointerEvent) => { e.preventDefault(); (e.currentTarget as HTMLElement).focus(); placement.dragCartridge(e, person.key); }}
      @keydown=${(e: KeyboardEvent) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); placement.arm(person.key); if (placement.armed) placement.querySelector<HTMLElement>(`.pl-scroll [data-page="${placement.page}"]`)?.focus(); } }}>
      ${icon("grip")}${icon("stamp")}<span class="vh">${t("Stamp of {name}. Enter, then Enter on a page, places it.", { name: person.name })}</span><span class="grow">${armed ? t("Now click the page") : person.with_text ? t("Signature and text") : t("Signature")}</span>
      <span class="sm">${armed ? t("Esc") : complete ? t("One more") : t("Drag")}</span></button>
     <div class="pf-seg" role="radiogroup" @keydown=${turn} aria-label=${t("Look of the stamp of {name}", { name: person.name })}>${look(false, t("Simple stamp"))}${look(true, t("Stamp with text"))}</div>
    ${placement.refused[person.key] ? html`<p class="pf-note danger" role="alert" data-test="place-refused-${index}">${icon("info")}<span>${t("No font here can draw these characters of “{name}” on a stamp: {characters}. The stamp stays simple.", { name: person.name, characters: placement.refused[person.key] ?? "" })}</span></p>` : nothing}</section>`;
}
