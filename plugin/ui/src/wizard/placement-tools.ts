/** Above and below the desk: pages and zoom, and what can be done with the chosen stamp. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icons";
import { t } from "../i18n";
import { colour } from "./draft";
import type { Placement } from "./placement";

export function toolbar(placement: Placement, pages: number): TemplateResult {
  const tool = (pic: Parameters<typeof icon>[0], label: string, act: () => void, off = false) =>
    html`<button type="button" class="pf-btn quiet ico" aria-label=${label} title=${label} aria-disabled=${off} @click=${() => !off && act()}>${icon(pic, "s18")}</button>`;
  const { page, scale } = placement;
  return html`<div class="pf-toolbar" role="toolbar" aria-label=${t("Pages and zoom")}>
    ${tool("left", t("Previous page"), () => placement.goTo(page - 1), page <= 1)}
    <span class="v">${page} / ${pages}</span>
    ${tool("right", t("Next page"), () => placement.goTo(page + 1), page >= pages)}
    <span class="sep"></span>${tool("zoomout", t("Zoom out"), () => placement.zoomTo(scale - 0.1))}<span class="v" data-test="zoom">${t("{n}%", { n: Math.round(scale * 100) })}</span>
    ${tool("zoomin", t("Zoom in"), () => placement.zoomTo(scale + 0.1))}${tool("fit", t("Fit to width"), () => { placement.zoom = 0; })}
    <span class="sep"></span>${tool("undo", t("Undo the last change"), () => placement.undo(), !placement.undone.length)}</div>`;
}

export function selectionBar(placement: Placement): TemplateResult | typeof nothing {
  const stamp = placement.draft.stamps.find((s) => s.id === placement.chosen);
  const person = stamp && placement.person(stamp.person);
  if (!stamp || !person || placement.ghost) return nothing;
  const index = placement.draft.people.indexOf(person);
  return html`<div class="pf-toolbar bottom ${colour(index)}"><span class="pf-node fill small" aria-hidden="true">${index + 1}</span><span class="b sm ell">${person.name}</span><span class="sep"></span>
    <button type="button" class="pf-btn quiet ico" aria-label=${t("Copy to another page")} title=${t("Copy to another page")} @click=${() => placement.duplicate(stamp)}>${icon("copy")}</button>
    <button type="button" class="pf-btn quiet ico" aria-label=${t("Delete stamp")} title=${t("Delete stamp")} data-test="stamp-delete" @click=${() => placement.takeAway(stamp.id)}>${icon("trash")}</button>
    <span class="hints sm mute"><kbd>←</kbd><kbd>↑</kbd><kbd>↓</kbd><kbd>→</kbd>${t("move")} <kbd>+</kbd><kbd>−</kbd>${t("resize")}</span></div>`;
}
