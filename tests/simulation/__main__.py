from tests.simulation.world import World
import sys, time
from collections import Counter

why = Counter()
T = time.perf_counter()
n = 0
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    t = time.perf_counter()
    w = World(seed, int(sys.argv[3]))
    r = w.run()
    n += r.flows
    if r.broken:
        print(
            seed,
            r.flows,
            r.events,
            r.hash[:10],
            f"{(time.perf_counter() - t) / r.flows * 1e3:.1f} ms/flow",
            f"{r.simulated_s:.0f}s",
            r.broken,
            f"{r.slowest_end_s:.0f} {r.slowest_told_s:.0f}",
            r.counts.get("crashes", 0),
        )
        if len(sys.argv) > 4:
            print("\n".join(r.tail[-int(sys.argv[4]) :]))
print(n, f"{(time.perf_counter() - T) / n * 1e3:.1f} ms/flow")
