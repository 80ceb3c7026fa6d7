import { html, nothing, type TemplateResult } from "lit";
import { sentence, type Api } from "../api";
import { define, PageElement } from "../element";
import { icon } from "../icons";
import { t, tn } from "../i18n";
import type { FlowOut, InspectAnswer, Inspected, Kind, Me, TypeInfo } from "../types";
import { documentsStep } from "./documents";
import { declined, forget, fresh, isEmail, isSignature, launchBody, missing, newKey, onlyKind, recall, remember, stem, stepsOf, usable, type Draft, type Person, type StepName } from "./draft";
import { launched } from "./launching";
import { lackingText, type Placement } from "./placement";
import "./placement";
import { recapStep, sentScreen } from "./recap";
import { recipientsStep } from "./recipients";
import "./search";
import type { Found } from "./search";

/** From the selection to the launch, in three or four steps. The draft outlives a reload. */
class Wizard extends PageElement {
  static override properties = {
    api: { attribute: false }, me: { attribute: false }, base: {}, files: {}, follow: {}, kind: {}, fileIds: { attribute: false },
    draft: { state: true }, types: { state: true }, documents: { state: true }, loading: { state: true }, uploading: { state: true }, over: { state: true },
    problem: { state: true }, said: { state: true }, lifted: { state: true }, error: { state: true }, busy: { state: true }, doing: { state: true }, sent: { state: true }, refused: { state: true },
  };
  api!: Api;
  me!: Me;
  base = "/";
  files = "/";
  follow = "/";
  kind: Kind | "" = ""; // empty: not chosen yet
  fileIds: string[] = [];
  draft!: Draft;
  types: TypeInfo[] = [];
  documents: Inspected[] = [];
  refused: { name: string; reason: string }[] = [];
  limit_bytes = 0;
  loading = false;
  uploading = "";
  over = false;
  problem = "";
  said = "";
  lifted = "";
  error = "";
  busy = false;
  doing = ""; // how far a launch is that takes its time
  sent: FlowOut | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.limit_bytes = this.me.collection_limit_bytes;
    const kept = recall();
    this.draft = kept ?? fresh(this.kind, this.fileIds);
    if (!this.draft.kind || !stepsOf(this.draft.kind).includes(this.draft.step)) this.draft.step = "documents";
    void this.inspect();
  }

  private change(part: Partial<Draft>): void {
    this.draft = { ...this.draft, ...part };
    remember(this.draft);
  }

  private get good(): Inspected[] {
    return usable(this.documents, this.draft.kind);
  }

  private async inspect(): Promise<void> {
    const { file_ids } = this.draft;
    this.documents = this.documents.filter((d) => file_ids.includes(d.file_id));
    try {
      this.loading = true;
      this.types = (await this.api.get<{ types: TypeInfo[] }>(`api/v1/types?file_ids=${file_ids.join(",")}`)).types;
      if (!this.draft.kind || this.draft.guessed) this.change({ kind: onlyKind(this.types), guessed: true });
      if (file_ids.length) {
        const answer = await this.api.post<InspectAnswer>("api/v1/documents/inspect", { file_ids });
        this.documents = answer.documents;
        this.limit_bytes = answer.limit_bytes;
      } else this.documents = [];
      this.error = "";
    } catch (error) {
      this.error = sentence(error);
    } finally {
      this.loading = false;
    }
  }

  // ---- step 1 ------------------------------------------------------------------------------------------------------
  private choose(kind: Kind): void {
    this.change({ kind, guessed: false });
  }

  private removeDocument(file_id: string): void {
    this.change({ file_ids: this.draft.file_ids.filter((id) => id !== file_id), stamps: this.draft.stamps.filter((s) => s.file_id !== file_id) });
    void this.inspect();
  }

  private async addFiles(files: FileList): Promise<void> {
    const beside = this.draft.file_ids[0];
    this.refused = [];
    for (const file of Array.from(files)) {
      const refuse = (reason: string) => { this.refused = [...this.refused, { name: file.name, reason }]; };
      if (this.draft.file_ids.length >= this.me.limits.documents) { refuse(tn("{n} document at most.", "{n} documents at most.", this.me.limits.documents)); continue; }
      if (!beside) { refuse(t("Start from a file on the Files page.")); continue; }
      if (!/\.pdf$/i.test(file.name) && file.type !== "application/pdf") { refuse(t("Refused: only a PDF can be signed. Convert it to PDF.")); continue; }
      this.uploading = file.name;
      try {
        const added = await this.api.upload<{ file_id: string }>(`api/v1/documents/beside/${beside}?name=${encodeURIComponent(file.name)}`, file, "application/pdf");
        this.change({ file_ids: [...this.draft.file_ids, added.file_id] });
      } catch (error) {
        refuse(sentence(error));
      }
    }
    this.uploading = "";
    await this.inspect();
  }

  // ---- step 2 ------------------------------------------------------------------------------------------------------
  private addPerson(found: Found): void {
    this.problem = "";
    const key = found.user ?? (found.email ?? "").toLowerCase();
    const taken = this.draft.people.some((p) => p.key === key || (found.email && p.email?.toLowerCase() === found.email.toLowerCase()));
    if (this.draft.people.length >= this.me.limits.recipients) { this.problem = tn("{n} person at most.", "{n} people at most.", this.me.limits.recipients); return; }
    if (taken) { this.problem = t("This person is already in the list."); return; }
    if (!found.user && !isEmail(found.email ?? "")) { this.problem = t("This is not a complete e-mail address."); return; }
    const language = this.me.language.startsWith("fr") ? "fr" : "en";
    const person: Person = { key, user: found.user, email: found.email, name: found.name, first_name: "", last_name: "", language, comment: "", with_text: false };
    this.change({ people: [...this.draft.people, person] });
    this.said = t("{name}, position {n} of {total}", { name: person.name, n: this.draft.people.length, total: this.draft.people.length });
  }

  private editPerson(key: string, part: Partial<Person>): void {
    this.change({ people: this.draft.people.map((p) => {
      if (p.key !== key) return p;
      const next = { ...p, ...part };
      const full = `${next.first_name.trim()} ${next.last_name.trim()}`.trim();
      return next.user ? next : { ...next, name: full || next.email || next.name };
    }) });
  }

  private removePerson(key: string): void {
    this.change({ people: this.draft.people.filter((p) => p.key !== key), stamps: this.draft.stamps.filter((s) => s.person !== key) });
  }

  private movePerson(key: string, to: number): void {
    const people = this.draft.people.filter((p) => p.key !== key);
    const person = this.draft.people.find((p) => p.key === key);
    if (!person || to < 0 || to > people.length) return;
    people.splice(to, 0, person);
    this.change({ people });
    this.said = t("{name}, position {n} of {total}", { name: person.name, n: to + 1, total: people.length });
    const focused = document.activeElement?.classList.contains("grip");
    if (focused) void this.updateComplete.then(() => this.querySelectorAll<HTMLElement>(".grip")[to]?.focus());
  }

  // ---- steps -------------------------------------------------------------------------------------------------------
  private go(step: StepName): void {
    this.error = "";
    this.change({ step });
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(".wz-bd")?.focus());
  }

  private next(): void {
    const steps = stepsOf(this.draft.kind);
    if (this.draft.step === "recap") void this.send();
    else this.go(steps[steps.indexOf(this.draft.step) + 1] ?? "recap");
  }

  /** Why one cannot go on from a step; empty when one can. */
  private blocked(step: StepName): string {
    const { limits } = this.me;
    const total = this.good.reduce((sum, d) => sum + d.size_bytes, 0);
    if (step === "documents") {
      if (this.loading || this.uploading) return t("Reading the documents");
      if (!this.draft.kind) return this.types.some((one) => one.available) ? t("Choose first what you need: approval or signature.") : t("None of the types is available here.");
      const type = this.types.find((one) => one.kind === this.draft.kind);
      if (type && !type.available) return type.reason ?? t("This type is not available.");
      if (!this.good.length) return t("Add at least one document.");
      if (this.good.length > limits.documents) return tn("{n} document at most: remove {over}.", "{n} documents at most: remove {over}.", limits.documents, { over: this.good.length - limits.documents });
      if (isSignature(this.draft.kind) && total > this.limit_bytes) return t("The collection is too large.");
    }
    if (step === "recipients" && !this.draft.people.length) return t("Add at least one person.");
    if (step === "recipients" && this.draft.people.length > limits.recipients) return tn("{n} person at most.", "{n} people at most.", limits.recipients);
    if (step === "placement") {
      const document = this.good.find((d) => missing(d, this.draft).length);
      if (document) return lackingText(missing(document, this.draft).length, stem(document.name));
    }
    return "";
  }

  private async send(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = "";
    try {
      const body = launchBody(this.draft, this.good);
      const keyFor = JSON.stringify(body);
      const key = (this.draft.keyFor === keyFor && this.draft.key) || newKey(); // what was changed since is another launch
      this.change({ key, keyFor });
      this.sent = await launched(this.api, body, key, (text) => { this.doing = text; });
      forget();
      void this.updateComplete.then(() => this.querySelector<HTMLElement>("h1")?.focus());
    } catch (error) {
      this.error = declined(error, this.draft, this.good);
    } finally {
      this.doing = "";
      this.busy = false;
    }
  }

  private leave(): void {
    forget();
    location.href = this.files;
  }

  private body(): TemplateResult {
    const { draft } = this;
    switch (draft.step) {
      case "documents":
        return documentsStep({
          draft, base: this.base, types: this.types, documents: this.documents, limit_bytes: this.limit_bytes, loading: this.loading, uploading: this.uploading, refused: this.refused, over: this.over,
          choose: (kind) => this.choose(kind), remove: (id) => this.removeDocument(id), add: (files) => void this.addFiles(files), hover: (over) => { this.over = over; },
        });
      case "recipients":
        return recipientsStep({
          draft, base: this.base, problem: this.problem, said: this.said, lifted: this.lifted,
          change: (part) => this.change(part), edit: (key, part) => this.editPerson(key, part), remove: (key) => this.removePerson(key),
          move: (key, to) => this.movePerson(key, to), lift: (key) => { this.lifted = key; },
          search: html`<parapheur-search .api=${this.api} @pf-found=${(e: CustomEvent<Found>) => this.addPerson(e.detail)}></parapheur-search>`,
        });
      case "placement":
        return html`<parapheur-placement .draft=${draft} .documents=${this.good} .api=${this.api} .base=${this.base} @pf-change=${(e: CustomEvent<Partial<Draft>>) => this.change(e.detail)}></parapheur-placement>`;
      case "recap":
        return recapStep({ draft, documents: this.good, placeholder: stem(this.good[0]?.name ?? ""), error: this.error, change: (part) => this.change(part), go: (step) => this.go(step) });
    }
  }

  private head(): TemplateResult {
    const names: Record<StepName, string> = { documents: t("Type and documents"), recipients: t("Recipients"), placement: t("Placement"), recap: t("Summary") };
    const steps = stepsOf(this.draft.kind);
    const at = steps.indexOf(this.draft.step);
    return html`<header class="wz-hd"><div class="row wz-title">${icon("flow")}<h1>${t("New workflow")}</h1></div>
      <ol class="pf-steps">${steps.map((step, i) => html`<li class=${i < at ? "ok" : i === at ? "now" : ""} aria-current=${i === at ? "step" : nothing}>
        <span class="pf-node" aria-hidden="true">${i < at ? icon("check", "s14") : i + 1}</span><span class="nm">${names[step]}</span></li>`)}</ol>
      <div class="row wz-close"><span class="sm mute row saved">${icon("check", "s16")}${t("Draft saved")}</span>
        <button type="button" class="pf-btn quiet ico" aria-label=${t("Leave and drop the draft")} title=${t("Leave and drop the draft")} @click=${() => this.leave()}>${icon("close")}</button></div></header>`;
  }

  private foot(): TemplateResult {
    const { step } = this.draft;
    const steps = stepsOf(this.draft.kind);
    const previous = steps[steps.indexOf(step) - 1];
    const signing = isSignature(this.draft.kind);
    const why = this.blocked(step);
    const labels: Record<StepName, string> = {
      documents: t("Choose recipients"), recipients: signing ? t("Place the signatures") : t("Summary"), placement: t("Confirm"), recap: t("Send invitations"),
    };
    const names: Record<StepName, string> = { documents: t("Type and documents"), recipients: t("Recipients"), placement: t("Placement"), recap: t("Summary") };
    return html`<footer class="wz-ft">
      ${previous ? html`<button type="button" class="pf-btn quiet" data-test="previous" @click=${() => this.go(previous)}>${icon("back")}<span class="nm">${names[previous]}</span></button>`
        : html`<button type="button" class="pf-btn quiet" @click=${() => this.leave()}>${t("Cancel")}</button>`}
      <span class="grow"></span>
      ${this.error && step !== "recap" ? html`<span class="pf-err" role="alert">${icon("alert", "s16")}${this.error}<button type="button" class="pf-link" @click=${() => void this.inspect()}>${t("Try again")}</button></span>` : nothing}
      <span class="sm ${why ? "lack" : "mute"} why row" id="pf-next-why">${why && step === "placement" ? icon("clock", "s16") : nothing}${why || (step === "recap" ? this.doing || t("Once sent, documents are frozen.") : "")}</span>
      ${why && step === "placement" ? html`<button type="button" class="pf-btn" data-test="next-missing" @click=${() => this.querySelector<Placement>("parapheur-placement")?.goToMissing()}>${t("Go to next missing stamp")}</button>` : nothing}
      <button type="button" class="pf-btn primary" data-test=${step === "recap" ? "send" : "next"} aria-disabled=${Boolean(why) || this.busy} aria-busy=${this.busy} aria-describedby="pf-next-why" @click=${() => !why && this.next()}>
        ${this.busy ? html`<span class="pf-spin"></span>` : step === "recap" ? icon("send") : nothing}${labels[step]}${step === "documents" ? icon("forward") : nothing}</button></footer>`;
  }

  override render() {
    if (this.sent) return html`<div class="wz-bd">${sentScreen({ flow: this.sent, me: this.me.user, base: this.base, files: this.files, follow: this.follow })}</div>`;
    return html`<div class="wz">${this.head()}<div class="wz-bd ${this.draft.step === "placement" ? "flat" : ""}" tabindex="-1">${this.body()}</div>${this.foot()}</div>`;
  }
}
define("parapheur-wizard", Wizard);
