/** Points of a pen, [x, y, width] each, in CSS pixels. */
export type Stroke = [number, number, number][];

/** Ink: a picture of it without anything around it, on a transparent ground, and what the picture was made from. */
export interface Ink {
  kind: "drawn" | "image" | "typed";
  png: string; // data URL
  strokes?: Stroke[]; // of drawn ink
  text?: string; // of typed ink
  width_px: number;
  height_px: number;
  cleared: boolean; // an opaque ground was made transparent
}

/** As it goes over the wire: lines and letters as such, so that the PDF is sharp at any zoom. */
export const signature = ({ kind, png, strokes, text }: Ink) =>
  text ? { kind, text } : strokes ? { kind, strokes } : { kind, png_base64: png.slice(png.indexOf(",") + 1) };

export const INK_COLOUR = "#12264f";
export const IMAGE_LIMIT_BYTES = 2_000_000;
const LONGEST_PX = 1400;

export function sheet(width: number, height: number): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser cannot draw");
  return [canvas, context];
}

/** The smallest part that holds every visible point, or null for an empty canvas. */
function visible(context: CanvasRenderingContext2D): [number, number, number, number] | null {
  const { width, height } = context.canvas;
  const { data } = context.getImageData(0, 0, width, height);
  let left = width, top = height, right = -1, bottom = -1;
  for (let y = 0, i = 3; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      if ((data[i] ?? 0) < 12) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return right < 0 ? null : [left, top, right - left + 1, bottom - top + 1];
}

export function trimmed(context: CanvasRenderingContext2D, kind: Ink["kind"], cleared = false): Ink | null {
  const part = visible(context);
  if (!part) return null;
  const [x, y, w, h] = part;
  const [canvas, target] = sheet(w, h);
  target.drawImage(context.canvas, x, y, w, h, 0, 0, w, h);
  return { kind, png: canvas.toDataURL("image/png"), width_px: w, height_px: h, cleared };
}

function isOpaque(pixels: ImageData): boolean {
  for (let i = 3; i < pixels.data.length; i += 4) if ((pixels.data[i] ?? 0) < 250) return false;
  return true;
}

/** White becomes transparent, with a soft edge: scans and photographs of a signature have a paper ground. */
function clearGround(pixels: ImageData): void {
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    const darkest = Math.min(data[i] ?? 0, data[i + 1] ?? 0, data[i + 2] ?? 0);
    if (darkest > 200) data[i + 3] = Math.round((255 * Math.max(0, 240 - darkest)) / 40);
  }
}

/** Raises when the bytes are not an image. Null: nothing on it is visible. */
export async function inkFromFile(file: Blob): Promise<Ink | null> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_PX / Math.max(bitmap.width, bitmap.height));
  const [canvas, context] = sheet(bitmap.width * scale, bitmap.height * scale);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const opaque = isOpaque(pixels);
  if (opaque) {
    clearGround(pixels);
    context.putImageData(pixels, 0, 0);
  }
  return trimmed(context, "image", opaque);
}
