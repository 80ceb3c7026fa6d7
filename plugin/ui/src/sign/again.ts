/** Trying again by itself, with a countdown. Each pause is longer than the one before: a host counts refusals. */
export class Again {
  private tries = 0;
  private timer = 0;

  constructor(private readonly tick: (left_s: number) => void) {}

  /** ``act`` after ``least_s`` at least; ``tick`` is told every second what is left, 0 at the end. */
  later(least_s: number, act: () => void): void {
    this.stop();
    const end = Date.now() + 1000 * Math.min(120, Math.max(least_s, 5 * 2 ** this.tries++));
    const look = () => {
      const left_s = Math.ceil((end - Date.now()) / 1000);
      this.tick(Math.max(0, left_s));
      if (left_s > 0) this.timer = window.setTimeout(look, 250);
      else act();
    };
    look();
  }

  stop(): void {
    window.clearTimeout(this.timer);
    this.tick(0);
  }

  /** What comes next is another matter. */
  forget(): void {
    this.stop();
    this.tries = 0;
  }
}
