import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icons";
import { t, tn } from "../i18n";
import type { FlowOut, LinkFlow } from "../types";

export type Decision = "signed" | "approved" | "refused";

function whatNext(decision: Decision, after: FlowOut): string {
  if (decision === "refused") return t("{name} has been told. The workflow has ended.", { name: after.creator.name });
  if (after.state === "completed")
    return decision === "signed"
      ? t("You were the last to sign, the workflow is finished.")
      : t("You were the last to decide, the workflow is finished.");
  const next = after.steps.flatMap((step) => step.recipients).filter((r) => r.state === "invited" || r.state === "viewed");
  const names = next.map((r) => r.name || r.email || "").filter(Boolean);
  return names.length ? t("It is {name}’s turn.", { name: names.join(", ") }) : t("The workflow goes on with the next people.");
}

export function done(o: { decision: Decision; before: LinkFlow; after: FlowOut; apiBase: string; external: boolean }): TemplateResult {
  const n = o.before.documents.length;
  const title =
    o.decision === "signed" ? tn("Document signed", "Documents signed", n)
    : o.decision === "approved" ? tn("File approved", "Files approved", n)
    : t("Refusal sent");
  const documents = o.decision === "refused" ? [] : o.after.documents;
  return html`<main class="ex-center" id="main" tabindex="-1" data-test="done">
    <div class="ex-card">
      <div class="pf-hero">
        <span class="pf-seal ${o.decision === "refused" ? "danger" : "ok"}">${icon(o.decision === "refused" ? "close" : "check", "s32")}</span>
        <h1>${title}</h1>
        <p class="mute">${whatNext(o.decision, o.after)}</p>
      </div>
      ${documents.length
        ? html`<ul class="ex-list">${documents.map((d) => html`<li>
            <span class="grow ell b">${d.name}</span>
            <a class="pf-btn quiet ico" href="${o.apiBase}/documents/${d.n}" download data-test="download-${d.n}"
              aria-label=${t("Download “{name}”", { name: d.name })}>${icon("download")}</a></li>`)}</ul>`
        : nothing}
      ${o.external
        ? html`<p class="sm mute pf-hero">${t("You may close this page.")}</p>`
        : html`<a class="pf-btn full" href="/">${t("Back to files")}</a>`}
    </div>
  </main>`;
}
