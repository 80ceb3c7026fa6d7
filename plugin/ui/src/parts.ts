import { html, nothing, type TemplateResult } from "lit";
import { icon } from "./icons";
import { t, when } from "./i18n";
import type { FlowOut, RecipientOut, StepOut } from "./types";
import { fileLook, recipientTag, stateTag } from "./words";

export const sheetIcon = (name: string): TemplateResult => {
  const { look, letters } = fileLook(name);
  return html`<span class="pf-ft ${look}" aria-hidden="true">${letters}</span>`;
};

export const flowTag = (state: FlowOut["state"]): TemplateResult => {
  const { word, look, pic } = stateTag(state);
  return html`<span class="pf-tag ${look}" data-test="flow-state" data-state=${state}>${icon(pic, "s14")}${word}</span>`;
};

function moment(recipient: RecipientOut, kind: FlowOut["kind"]): string {
  if (recipient.decided_at) return when(recipient.decided_at);
  if (recipient.state === "viewed") return t("has read the documents");
  if (recipient.state !== "invited") return "";
  if (recipient.delivery?.state === "failed") return t("the e-mail could not be delivered: {reason}", { reason: recipient.delivery.reason ?? "" });
  if (recipient.opened_at) return t("opened {when}", { when: when(recipient.opened_at) });
  return kind === "validation" ? t("has been asked for a decision") : t("has been asked to sign");
}

function ruleWords({ rule, recipients }: StepOut): string {
  const there = recipients.filter((r) => r.state !== "replaced").length;
  if (there < 2) return "";
  if (rule === "all") return t("side by side");
  return rule === "any" ? t("side by side, one of them is enough") : t("side by side, {n} of them are enough", { n: rule.n });
}

/** The steps of a flow, in order: who, state, when, what was said. */
export function river(flow: FlowOut, me: string | null): TemplateResult {
  return html`<ol class="pf-river">
    ${flow.steps.map((step, index) => step.recipients.filter((r) => r.state !== "replaced").map((r, place) => {
      const look = r.state === "signed" || r.state === "approved" ? "ok" : r.state === "refused" ? "no" : r.state === "invited" || r.state === "viewed" ? "now" : "";
      const tag = recipientTag(r.state, flow.kind);
      const said = r.reason ?? r.comment;
      const before = step.recipients.find((other) => other.id === r.replaces);
      const notes = [place ? "" : ruleWords(step), before ? t("in place of {name}", { name: before.name }) : ""].filter(Boolean).join(" · ");
      return html`<li class=${look}>
        <span class="pf-node" aria-hidden="true">${look === "ok" ? icon("check", "s16") : look === "no" ? icon("close", "s16") : index + 1}</span>
        <div><div class="who"><span class="b">${r.name || r.email}${me && r.user === me ? ` ${t("(you)")}` : ""}</span>
            ${tag.word ? html`<span class="pf-tag ${tag.look}">${tag.word}</span>` : nothing}</div>
          <div class="sm mute">${moment(r, flow.kind) || (look ? "" : t("waiting"))}</div>
          ${notes ? html`<div class="sm mute">${notes}</div>` : nothing}
          ${said ? html`<p class="pf-quote pre">${said}</p>` : nothing}</div>
      </li>`;
    }))}
  </ol>`;
}
