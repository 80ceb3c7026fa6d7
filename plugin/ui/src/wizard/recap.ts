/** Step 4: what will happen; and the screen after it has. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icons";
import { t, tn } from "../i18n";
import { river, sheetIcon } from "../parts";
import type { FlowOut, Inspected } from "../types";
import { kindName } from "../words";
import { colour, isSignature, type Draft, type StepName } from "./draft";

export function recapStep(o: { draft: Draft; documents: Inspected[]; placeholder: string; error: string; change(part: Partial<Draft>): void; go(step: StepName): void }): TemplateResult {
  const { draft, documents } = o;
  const signing = isSignature(draft.kind);
  const previous = (i: number) => draft.people[i - 1]?.name ?? "";
  const gets = (i: number) =>
    i === 0 ? t("Gets the e-mail right away")
    : signing ? t("Gets the e-mail when {name} has signed", { name: previous(i) })
    : t("Gets the e-mail when {name} has approved", { name: previous(i) });
  return html`<div class="wz-in wz-2">
    <div class="col sections">
      <div role="alert">${o.error ? html`<p class="pf-note danger">${icon("alert")}<span class="pre">${o.error}</span></p>` : nothing}</div>
      <label class="pf-field"><span class="pf-label">${t("Workflow name")}</span>
        <input class="pf-input" maxlength="200" data-test="title" .value=${draft.title} placeholder=${o.placeholder} @input=${(e: Event) => o.change({ title: (e.target as HTMLInputElement).value })} /></label>
      <section class="pf-card"><header class="row"><h2 class="grow">${t("Route")}</h2><button type="button" class="pf-link" @click=${() => o.go("recipients")}>${t("Edit")}</button></header>
        <div class="pad"><ol class="pf-river">
          ${draft.people.map((p, i) => html`<li class=${colour(i)}><span class="pf-node fill" aria-hidden="true">${i + 1}</span>
            <div><div class="who b">${p.name}</div><div class="sm mute">${p.email ?? p.user}</div><div class="sm">${gets(i)}</div>
              ${p.comment.trim() ? html`<p class="pf-quote pre">${p.comment}</p>` : nothing}</div></li>`)}
          ${signing && draft.copy_to_all ? html`<li><span class="pf-node" aria-hidden="true">${icon("mail", "s16")}</span>
            <div><div class="who b">${t("Copy of the signed document")}</div><div class="sm mute">${tn("sent to the signatory at the end", "sent to the {n} signatories at the end", draft.people.length)}</div></div></li>` : nothing}
        </ol></div></section>
    </div>
    <aside class="col wide">
      <section class="pf-card"><header class="row"><h2 class="grow">${t("Documents")}</h2><button type="button" class="pf-link" @click=${() => o.go("documents")}>${t("Edit")}</button></header>
        <ul class="pf-files">${documents.map((d) => {
          const stamps = draft.stamps.filter((s) => s.file_id === d.file_id);
          const pages = [...new Set(stamps.map((s) => s.page))].sort((a, b) => a - b);
          return html`<li>${sheetIcon(d.name)}<div class="grow col tight"><span class="b ell">${d.name}</span>
            ${signing ? html`<span class="sm mute">${tn("{n} stamp", "{n} stamps", stamps.length)}, ${tn("page {pages}", "pages {pages}", pages.length, { pages: pages.join(", ") })}</span>` : nothing}
            ${signing && d.saved_in === "home" ? html`<span class="sm" data-test="saved-at-home">${t("Its folder takes no new files: the signed copy will be at the top of your own files.")}</span>` : nothing}</div>
            <span class="pf-tag ok">${icon("check", "s14")}${t("Ready")}</span></li>`;
        })}</ul></section>
      <section class="pf-card pad col"><h2>${t("E-mail that will be sent")}</h2>
        <dl class="pf-dl"><dt>${t("Type")}</dt><dd>${draft.kind ? kindName(draft.kind) : nothing}</dd></dl>
        ${draft.comment.trim() ? html`<p class="pf-quote pre">${draft.comment}</p>` : html`<p class="sm mute">${t("Without a comment.")}</p>`}</section>
    </aside></div>`;
}

export function sentScreen(o: { flow: FlowOut; me: string; base: string; files: string; follow: string }): TemplateResult {
  const { flow, me } = o;
  const current = flow.steps.flatMap((s) => s.recipients).filter((r) => r.state === "invited" || r.state === "viewed");
  const mine = current.some((r) => r.user === me);
  const names = current.map((r) => r.name || r.email).join(", ");
  const signing = flow.kind !== "validation";
  return html`<div class="wz-sent" data-test="sent" data-flow=${flow.id}>
    <div class="pf-hero"><span class="pf-seal ok">${icon("send", "s32")}</span><h1 tabindex="-1">${t("The workflow has started")}</h1>
      <p class="mute">${mine ? t("It is your turn first. Nothing goes to the next person before.") : names ? t("{name} has been invited.", { name: names }) : t("The invitations are on their way.")}</p></div>
    <div class="pf-card pad">${river(flow, me)}</div>
    <div class="row wrap centre">
      ${mine ? html`<a class="pf-btn primary lg" data-test="sign-now" href="${o.base}f/${flow.id}">${icon(signing ? "sign" : "check")}${signing ? t("Sign now") : t("Decide now")}</a>` : nothing}
      <a class="pf-btn lg ${mine ? "" : "primary"}" data-test="follow" href="${mine ? o.follow : `${o.base}f/${flow.id}`}">${t("Follow the workflow")}</a>
      <a class="pf-btn quiet lg" data-test="back-to-files" href=${o.files}>${t("Back to files")}</a></div>
  </div>`;
}
