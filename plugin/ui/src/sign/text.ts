/** The text of a page, for those who hear it: fetched when it is opened. */
import { t } from "../i18n";

export function offerText(): void {
  for (const details of document.querySelectorAll<HTMLDetailsElement>("details[data-page-text]"))
    details.addEventListener("toggle", () => void fill(details));
}

async function fill(details: HTMLDetailsElement): Promise<void> {
  const place = details.querySelector("div");
  const address = details.dataset["pageText"];
  if (!details.open || !place || !address) return;
  delete details.dataset["pageText"];
  try {
    const answer = await fetch(address, { headers: { Accept: "text/plain" } });
    if (!answer.ok) throw new Error(String(answer.status));
    place.textContent = (await answer.text()) || t("This page holds no text: it is a picture.");
  } catch {
    details.dataset["pageText"] = address;
    place.textContent = t("The text did not get through. Close and open it to try again.");
  }
}
