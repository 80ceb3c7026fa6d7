/** Step 2: who, in which order. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../icons";
import { t } from "../i18n";
import { initials } from "../words";
import { colour, isSignature, type Draft, type Person } from "./draft";
import { follow } from "./gestures";

export interface RecipientsView {
  draft: Draft;
  base: string;
  problem: string;
  said: string;
  lifted: string;
  change(part: Partial<Draft>): void;
  edit(key: string, part: Partial<Person>): void;
  remove(key: string): void;
  move(key: string, to: number): void;
  lift(key: string): void;
  search: TemplateResult;
}

function names(view: RecipientsView, person: Person): TemplateResult {
  const field = (label: string, name: "first_name" | "last_name") => html`<label class="pf-field"><span class="sm mute">${label}</span>
    <input class="pf-input" maxlength="120" autocomplete="off" .value=${person[name]} data-test=${name}
      @input=${(e: Event) => view.edit(person.key, { [name]: (e.target as HTMLInputElement).value })} /></label>`;
  return html`<div class="names">${field(t("First name (optional)"), "first_name")}${field(t("Last name (optional)"), "last_name")}
    <label class="pf-field"><span class="sm mute">${t("Language of the e-mails")}</span>
      <select class="pf-input" @change=${(e: Event) => view.edit(person.key, { language: (e.target as HTMLSelectElement).value as Person["language"] })}>
        <option value="fr" lang="fr" .selected=${person.language === "fr"}>Français</option>
        <option value="en" lang="en" .selected=${person.language === "en"}>English</option></select></label></div>`;
}

function message(view: RecipientsView, person: Person): TemplateResult {
  return html`<details class="more" ?open=${Boolean(person.comment)}><summary class="pf-link sm">${t("Message for this person")}</summary>
    <textarea class="pf-input" rows="2" maxlength="4000" aria-label=${t("Message for {name}", { name: person.name })} .value=${person.comment}
      @input=${(e: Event) => view.edit(person.key, { comment: (e.target as HTMLTextAreaElement).value })}></textarea></details>`;
}

const EDGE_PX = 60;

/** Mouse, finger or pen on a handle: the person goes where the pointer is among the others; Esc puts him back. */
function drag(down: PointerEvent, view: RecipientsView, key: string, from: number): void {
  const list = (down.currentTarget as HTMLElement).closest("ol");
  const desk = list?.closest(".wz-bd");
  if (!list || !desk) return;
  let at = from;
  const go = (to: number) => { if (to !== at) view.move(key, (at = to)); };
  follow(down, {
    start: () => view.lift(key),
    move: (e) => {
      const edges = desk.getBoundingClientRect();
      if (e.clientY < edges.top + EDGE_PX) desk.scrollTop -= 12;
      else if (e.clientY > edges.bottom - EDGE_PX) desk.scrollTop += 12;
      const middles = [...list.children].map((li) => li.getBoundingClientRect()).map((r) => r.top + r.height / 2);
      go(middles.filter((middle, i) => i !== at && middle < e.clientY).length);
    },
    end: (_e, cancelled) => {
      if (cancelled) go(from);
      view.lift("");
    },
  });
}

function row(view: RecipientsView, person: Person, index: number): TemplateResult {
  const last = view.draft.people.length - 1;
  const keys = (e: KeyboardEvent) => {
    if (e.key === " " || e.key === "Enter") { e.preventDefault(); view.lift(view.lifted === person.key ? "" : person.key); }
    else if (e.key === "Escape") view.lift("");
    else if (view.lifted === person.key && e.key === "ArrowUp") { e.preventDefault(); view.move(person.key, index - 1); }
    else if (view.lifted === person.key && e.key === "ArrowDown") { e.preventDefault(); view.move(person.key, index + 1); }
  };
  return html`<li class="${colour(index)} ${view.lifted === person.key ? "drag" : ""}" data-key=${person.key} data-test="recipient">
    <button type="button" class="grip" aria-pressed=${view.lifted === person.key}
      aria-label=${t("Move {name}, position {n} of {total}. Space lifts, arrows move.", { name: person.name, n: index + 1, total: last + 1 })}
      @keydown=${keys} @pointerdown=${(e: PointerEvent) => drag(e, view, person.key, index)}>${icon("grip")}</button>
    <span class="pf-node fill" aria-hidden="true">${index + 1}</span>
    <span class="pf-avatar" aria-hidden="true">${initials(person.name)}</span>
    <div class="grow"><div class="b ell">${person.name}</div><div class="sm mute ell">${person.email ?? person.user}</div></div>
    <div class="row">
      <span class="pf-tag">${icon(person.user ? "person" : "mail", "s14")}${person.user ? t("User") : t("External")}</span>
      <button type="button" class="pf-btn quiet ico" aria-label=${t("Move {name} up", { name: person.name })} aria-disabled=${index === 0} @click=${() => index && view.move(person.key, index - 1)}>${icon("up", "s16")}</button>
      <button type="button" class="pf-btn quiet ico" aria-label=${t("Move {name} down", { name: person.name })} aria-disabled=${index === last} @click=${() => index < last && view.move(person.key, index + 1)}>${icon("down", "s16")}</button>
      <button type="button" class="pf-btn quiet ico" aria-label=${t("Remove {name}", { name: person.name })} @click=${() => view.remove(person.key)}>${icon("close")}</button>
    </div>
    <div class="under">${person.user ? nothing : names(view, person)}${message(view, person)}</div>
  </li>`;
}

function preview(draft: Draft): TemplateResult {
  const signing = isSignature(draft.kind);
  const first = (p: Person) => p.first_name || p.name.split(" ")[0] || p.name;
  return html`<section class="pf-card pad col wide"><h2>${t("The route")}</h2><ol class="pf-river small">
    ${draft.people.map((p, i) => html`<li class=${colour(i)}><span class="pf-node fill" aria-hidden="true">${i + 1}</span><div class="who sm">
      ${i ? t("then {name}", { name: first(p) }) : signing ? t("{name} signs", { name: first(p) }) : t("{name} decides", { name: first(p) })}</div></li>`)}
    ${signing && draft.copy_to_all ? html`<li><span class="pf-node" aria-hidden="true">${icon("mail", "s14")}</span><div class="who sm">${t("Signed copy to everyone")}</div></li>` : nothing}
  </ol></section>`;
}

export function recipientsStep(view: RecipientsView): TemplateResult {
  const { draft } = view;
  const signing = isSignature(draft.kind);
  return html`<div class="wz-in wz-2">
    <div class="col sections">
      <section class="col"><h2 id="who-title">${signing ? t("Who must sign?") : t("Who must approve?")}</h2>
        ${view.search}
        <div role="alert">${view.problem ? html`<p class="pf-err">${icon("alert", "s16")}${view.problem}</p>` : nothing}</div></section>
      <section class="col">
        <div class="row wrap"><h2 class="grow">${signing ? t("Signing order") : t("Order of decision")}</h2>
          <span class="sm mute">${signing ? t("Each is invited when the previous one has signed") : t("Each is invited when the previous one has approved")}</span></div>
        ${draft.people.length ? html`<ol class="pf-rcp">${draft.people.map((p, i) => row(view, p, i))}</ol>`
          : html`<p class="pf-note plain">${icon("person")}${t("Nobody yet. Type a name above, or a full e-mail address for somebody outside.")}</p>`}
        <p class="vh" aria-live="polite">${view.said}</p></section>
    </div>
    <aside class="col wide">
      <section class="pf-card pad col wide"><h2>${t("Options")}</h2>
        ${signing ? html`<label class="pf-check"><input type="checkbox" .checked=${draft.copy_to_all} data-test="copy-to-all" @change=${(e: Event) => view.change({ copy_to_all: (e.target as HTMLInputElement).checked })} />
          <span class="sm b">${t("Send a copy of the signed document to all signatories")}</span></label>` : nothing}
        <label class="pf-field"><span class="pf-label">${t("Comment for recipients")}</span>
          <textarea class="pf-input" rows="4" maxlength="4000" .value=${draft.comment} data-test="comment" @input=${(e: Event) => view.change({ comment: (e.target as HTMLTextAreaElement).value })}></textarea></label>
      </section>
      ${draft.people.length ? preview(draft) : nothing}
    </aside></div>`;
}
