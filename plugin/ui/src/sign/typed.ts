import { INK_COLOUR, sheet, trimmed, type Ink } from "./ink";

const SIZE_PX = 120;
export const LONGEST = 120;
/** The letters of the handwriting, as styles/hand.css has them. A name with any other is set upright, all of it. */
const BY_HAND = /^[ -~\u00a1-\u017e\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u0400-\u045f]+$/;

/** A typed name as it will stand on the page; what is sent is its text. Null: nothing was typed. */
export async function inkFromText(typed: string): Promise<Ink | null> {
  const text = typed.normalize("NFC").replace(/\s+/g, " ").trim();
  if (!text) return null;
  const font = `${SIZE_PX}px ${BY_HAND.test(text) ? "'Parapheur Hand'" : "sans-serif"}`;
  await document.fonts.load(font, text).catch(() => []); // the picture may be another then, the signature is not
  const [, ruler] = sheet(1, 1);
  ruler.font = font;
  const [, context] = sheet(ruler.measureText(text).width + 2 * SIZE_PX, 3 * SIZE_PX);
  context.font = font;
  context.fillStyle = INK_COLOUR;
  context.fillText(text, SIZE_PX, 2 * SIZE_PX);
  const ink = trimmed(context, "typed");
  return ink && { ...ink, text };
}
