import { html, nothing, type TemplateResult } from "lit";
import { modal } from "./element";
import { icon } from "./icons";
import { t, tn } from "./i18n";

export interface Frame {
  title: string;
  busy: boolean;
  error: string;
  close(): void;
  reload?: (() => void) | undefined; // offered beside the error
  again?: { in_s: number; kept: string; now(): void } | undefined; // it is being tried again
  body: TemplateResult;
  foot: TemplateResult;
}

const opened = modal();

export function frame({ title, busy, error, close, reload, again, body, foot }: Frame): TemplateResult {
  return html`<dialog class="pf-dialog" aria-labelledby="pf-dialog-title" ${opened}
      @cancel=${(event: Event) => { event.preventDefault(); if (!busy) close(); }}>
    <div class="in">
      <span class="grab" aria-hidden="true"></span>
      <header><h2 id="pf-dialog-title" class="grow">${title}</h2>
        <button type="button" class="pf-btn quiet ico" aria-label=${t("Close")} aria-disabled=${busy} @click=${() => !busy && close()}>${icon("close")}</button></header>
      <div class="bd">
        ${body}
        <div role="alert">${error ? html`<p class="pf-note danger">${icon("alert")}<span class="grow">${error}</span>${reload ? html`<button type="button" class="pf-link" data-test="reload" @click=${reload}>${t("Reload")}</button>` : nothing}</p>` : nothing}${again ? html`<p class="sm b">${again.kept}</p>` : nothing}</div>
        ${again ? html`<p class="row" data-test="again"><span class="grow num">${tn("Retrying in {n} second", "Retrying in {n} seconds", again.in_s)}</span>
          <button type="button" class="pf-btn small" data-test="retry-now" @click=${again.now}>${t("Retry now")}</button></p>` : nothing}
      </div>
      <footer>${foot}</footer>
    </div>
  </dialog>`;
}

/** A button that stays focusable when it is blocked, with the reason beside it. */
export function confirm(o: { label: string; blocked: string; busy: boolean; act(): void; test: string; look?: string; pic?: TemplateResult }): TemplateResult {
  return html`<span class="pf-why" id="pf-why" aria-live="polite">${o.blocked}</span>
    <button type="button" class="pf-btn lg ${o.look ?? "primary"}" data-test=${o.test} aria-disabled=${Boolean(o.blocked) || o.busy}
      aria-describedby="pf-why" aria-busy=${o.busy} @click=${() => !o.blocked && !o.busy && o.act()}>
      ${o.busy ? html`<span class="pf-spin"></span>` : (o.pic ?? nothing)}${o.label}</button>`;
}
