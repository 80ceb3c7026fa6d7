/** The sheets in which a decision is made. Each returns a <dialog>; the element holds the state. */
import { html, nothing, type TemplateResult } from "lit";
import { confirm, frame, type Frame } from "../dialog";
import { icon } from "../icons";
import { t, tn } from "../i18n";
import type { LinkFlow } from "../types";
import { crop } from "./crop";
import type { Ink } from "./ink";

export type Tab = "draw" | "image" | "type";

export interface SigningState {
  tab: Tab;
  ink: Ink | null;
  imageName: string;
  imageError: string;
  consent: boolean;
  busy: boolean;
  error: string;
  stale: boolean; // the flow has moved on since this page was opened
  again_s: number; // until it is tried again by itself
}

type Sheet = { flow: LinkFlow; busy: boolean; error: string; close(): void; reload?: (() => void) | undefined; again?: Frame["again"]; type(text: string): void; send(): void };

export function whyNot(state: SigningState): string {
  if (!state.ink)
    return state.tab === "draw" ? t("Draw your signature first.")
      : state.tab === "image" ? t("Choose an image first.") : t("Type your name first.");
  if (!state.consent) return t("Tick the box to agree.");
  return "";
}

export function signLabel(flow: LinkFlow): string {
  return tn("Sign the document", "Sign the {n} documents", flow.documents.length);
}

export function preview(flow: LinkFlow, ink: Ink | null, apiBase: string) {
  // Its place is kept before there is anything to see: the pad must not move between two strokes.
  return html`<details class="pf-more ${ink ? "" : "later"}"><summary>${icon("right", "s16")}${t("See it on the page")}</summary>${ink ? crop(flow, ink, apiBase) : nothing}</details>`;
}

export function refusal(o: Sheet & { reason: string }): TemplateResult {
  const approving = o.flow.kind === "validation" || o.flow.me.role === "validator";
  return frame({
    title: approving ? t("Refuse to approve?") : t("Refuse to sign?"),
    busy: o.busy,
    error: o.error,
    close: o.close,
    reload: o.reload,
    again: o.again,
    body: html`<p>${t("{name} will be told, the workflow stops, and nobody else will be asked.", { name: o.flow.creator.name })}</p>
      <label class="pf-field"><span class="pf-label">${t("Reason (required)")}</span>
        <textarea class="pf-input" rows="4" maxlength="4000" required autofocus data-test="refuse-reason" .value=${o.reason}
          @input=${(event: Event) => o.type((event.target as HTMLTextAreaElement).value)}></textarea>
        <span class="pf-hint">${t("Your reason will appear in the evidence.")}</span></label>`,
    foot: html`${confirm({
      label: approving ? t("Refuse") : t("Refuse to sign"),
      blocked: o.reason.trim() ? "" : t("Write a reason first."),
      busy: o.busy, act: o.send, test: "refuse-confirm", look: "danger solid",
    })}`,
  });
}

export function approval(o: Sheet & { comment: string }): TemplateResult {
  return frame({
    title: tn("Approve this file?", "Approve these {n} files?", o.flow.documents.length),
    busy: o.busy,
    error: o.error,
    close: o.close,
    reload: o.reload,
    again: o.again,
    body: html`<p>${tn("Your decision covers this file as it is shown here.", "Your decision covers the {n} files as they are shown here.", o.flow.documents.length)}</p>
      <label class="pf-field"><span class="pf-label">${t("Comment (optional)")}</span>
        <textarea class="pf-input" rows="3" maxlength="4000" data-test="approve-comment" .value=${o.comment}
          @input=${(event: Event) => o.type((event.target as HTMLTextAreaElement).value)}></textarea></label>`,
    foot: html`${confirm({ label: t("Approve"), blocked: "", busy: o.busy, act: o.send, test: "approve-confirm", pic: icon("check") })}`,
  });
}
