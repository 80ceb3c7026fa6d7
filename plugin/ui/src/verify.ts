import { t } from "./i18n";
import { showTimes } from "./sign/page";

/** The page to check a PDF: drop or choose, the verdict comes without a reload, and the signed version can be cut out
 *  here, since the file never left this browser but for the check. Without this script the form does it. */
let file: File | null = null;

async function check(chosen: File): Promise<void> {
  const card = document.querySelector<HTMLElement>(".ex-card");
  if (!card || card.ariaBusy === "true") return;
  const form = document.querySelector<HTMLElement>("[data-verify]");
  if (chosen.size > Number(form?.dataset["limit"])) return fail(card, t("This file is too large to be checked here."));
  card.ariaBusy = "true";
  const body = new FormData();
  body.append("file", chosen, chosen.name);
  try {
    const answer = await fetch("verify", { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (!page) throw new Error("no page");
    file = chosen;
    document.querySelector("main")?.replaceWith(document.adoptNode(page));
    wire();
    page.focus();
  } catch {
    card.ariaBusy = null;
    fail(card, t("The check did not get through. Please try again."));
  }
}

function fail(card: HTMLElement, words: string): void {
  card.querySelector("[data-failed]")?.remove();
  const note = document.createElement("p");
  note.className = "pf-note danger";
  note.role = "alert";
  note.dataset["failed"] = "";
  note.textContent = words;
  card.querySelector("[data-verify]")?.before(note);
}

function extract(bytes: number): void {
  if (!file) return;
  const address = URL.createObjectURL(file.slice(0, bytes, "application/pdf"));
  const link = document.createElement("a");
  link.href = address;
  link.download = file.name.replace(/(\.pdf)?$/i, ` (${t("signed version")}).pdf`);
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function wire(): void {
  showTimes();
  for (const input of document.querySelectorAll<HTMLInputElement>("[data-verify] input"))
    input.addEventListener("change", () => void (input.files?.[0] && check(input.files[0])));
  const cut = document.querySelector<HTMLButtonElement>("[data-signed-bytes]");
  if (cut && file) {
    cut.hidden = false;
    cut.addEventListener("click", () => extract(Number(cut.dataset["signedBytes"])));
  }
}

document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.querySelector(".pf-drop")?.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.querySelector(".pf-drop")?.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.querySelector(".pf-drop")?.classList.remove("over");
  const dropped = event.dataTransfer?.files[0];
  if (dropped) void check(dropped);
});
wire();
