"""A table for each scenario, in Markdown."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, median

from benchmarks.fanout.results import DASH, Results, Run, number, spread, table


def fanout_cost(results: Results) -> str:
    most = max(results.select(scenario="fanout"), key=lambda row: row["readers"] == 1_000)
    readers = most["readers"]
    rows = []
    for peer in results.peers_of("fanout"):
        paced = {"scenario": "fanout", "mode": "paced", "readers": readers}
        flat = paced | {"mode": "flat out"}
        cost = spread(results.values("cpu_us_per_event", peer=peer, **paced), 2)
        late = not median(results.values("keeps_up", peer=peer, **paced))
        rows.append(
            [
                results.title(peer),
                cost + (" †" if late else ""),
                number(results.ratio("cpu_us_per_event", peer, "bare", **paced), 2),
                number(results.ratio("cpu_us_per_event", peer, "nchan", **paced), 2),
                number(results.ratio("cpu_us_per_event", peer, "flowmaestro", **paced), 2),
                number(results.middle("emit_p50_ms", peer=peer, **paced)),
                number(results.middle("emit_p99_ms", peer=peer, **paced)),
                number(results.middle("emit_p999_ms", peer=peer, **paced)),
                number(results.middle("cpu_us_per_event", peer=peer, **flat), 2),
                number(results.middle("events_per_s", peer=peer, **flat), 0),
            ]
        )
    head = [
        "",
        "CPU µs/event",
        "÷ bare loop",
        "÷ Nchan",
        "÷ FlowMaestro",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
    ]
    head += ["flat out: CPU µs/event", "events/s"]
    pace = f"{most['per_second']:,.0f} events a second to each of {readers:,} readers"
    return "\n\n".join(
        [
            f"### One execution, {readers:,} readers",
            f"Paced: {pace}. The latency is from where an event comes to be to its reader.",
            table(head, rows),
            "† did not keep up with that pace in most rounds: the latency is then its queue's.",
        ]
    )


def fanout_scaling(results: Results) -> str:
    sizes = sorted({row["readers"] for row in results.select(scenario="fanout")})
    if len(sizes) < 2:
        return ""
    rows = []
    for peer in results.peers_of("fanout"):
        cells = [
            number(
                results.middle(
                    "cpu_us_per_event", scenario="fanout", mode="paced", peer=peer, readers=size
                ),
                2,
            )
            for size in sizes
        ]
        if cells.count(DASH) < len(cells) - 1:
            rows.append([results.title(peer), *cells])
    head = ["CPU µs/event, paced", *(f"{size:,} readers" for size in sizes)]
    return f"### As readers grow\n\n{table(head, rows)}"


def many(results: Results) -> str:
    rows = []
    for peer in results.peers_of("many"):
        base = {"scenario": "many", "peer": peer}
        source = "commit" if results.values("commit_p99_ms", **base, mode="half") else "emit"
        rows.append(
            [
                results.title(peer),
                spread(results.values("events_per_s", **base, mode="one at a time"), 0),
                number(results.middle("events_per_s", **base, mode="bursts"), 0),
                number(results.middle("per_second", **base, mode="half"), 0),
                *(
                    number(results.middle(f"{source}_{name}_ms", **base, mode="half"), 2)
                    for name in ("p50", "p99", "p999")
                ),
                number(results.middle("cpu_us_per_event", **base, mode="half")),
            ]
        )
    head = ["", "events/s", "in bursts of 10", "latency at", "p50 ms", "p99 ms", "p99.9 ms"]
    head += ["CPU µs/event"]
    return "\n\n".join(
        [
            "### 1,000 executions, one reader each",
            "The latency is from the commit to the reader, and from where the event comes to be "
            "where nothing is committed.",
            table(head, rows),
        ]
    )


def idle(results: Results) -> str:
    rows = []
    for peer in results.peers_of("idle"):
        counts = {row["executions"] for row in results.select(scenario="idle", peer=peer)}
        for executions in sorted(counts):
            base = {"scenario": "idle", "peer": peer, "executions": executions}
            rows.append(
                [
                    results.title(peer)
                    + (f", {executions:,} executions" if executions > 1 else ""),
                    number((results.middle("resident_bytes_per_stream", **base) or 0) / 1000, 2),
                    number((results.middle("share_bytes_per_stream", **base) or 0) / 1000, 2),
                    spread(results.values("opened_per_s", **base), 0),
                    number(results.middle("cpu_us_per_open", **base), 0),
                ]
            )
    streams = results.select(scenario="idle")[0]["streams"]
    head = ["", "resident KB/stream", "PSS KB/stream", "opened/s", "CPU µs/open"]
    return f"### {streams:,} idle streams\n\n{table(head, rows)}"


def slow(results: Results) -> str:
    rows = []
    for peer in results.peers_of("slow"):
        for way in ("none", "not read", "SIGSTOP"):
            base = {"scenario": "slow", "peer": peer, "way": way}
            caught_up = results.values("caught_up", **base)
            rows.append(
                [
                    f"{results.title(peer)}, {'nobody stopped' if way == 'none' else way}",
                    number(results.middle("emit_p50_ms", **base)),
                    spread(results.values("emit_p99_ms", **base)),
                    spread([grown / 1e6 for grown in results.values("grown_bytes", **base)], 2),
                    f"{sum(map(bool, caught_up))} of {len(caught_up)}",
                ]
            )
    head = ["", "the others' p50 ms", "p99 ms", "server grown MB", "caught up"]
    return f"### One reader stopped\n\n{table(head, rows)}"


def conditions(run: Run) -> str:
    results = Results(run)
    machine = run["machine"]
    lines = [
        f"{run['date']}, {run['rounds']} rounds in {run['minutes']:.0f} minutes: "
        f"`{run['command']}`",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}; {machine['kernel']}; "
        f"Python {machine['python']}; databases on {machine['disk']}",
    ]
    waiting = results.values("server_waiting", scenario="fanout", peer="bare", mode="paced")
    generator = results.values("generator_busy", scenario="fanout", mode="paced")
    if waiting:
        lines.append(
            f"others on the machine: the bare loop was ready to run and had to wait for its core "
            f"{mean(waiting):.1%} of the time, {max(waiting):.1%} in its worst measurement"
        )
    if generator:
        lines.append(
            f"the load generator used {mean(generator):.0%} of its core where events were paced, "
            f"{max(generator):.0%} at most"
        )
    lines += [f"not measured: {name}, since {why}" for name, why in run["skipped"].items()]
    lines += [f"**failed**: {failure.splitlines()[0]}" for failure in run["failures"]]
    peers = [
        [peer["title"], peer["version"] or DASH, peer["setup"]] for peer in run["peers"].values()
    ]
    listed = "\n".join(f"- {line}" for line in lines)
    return f"### The run\n\n{listed}\n\n{table(['', 'versions', 'set-up'], peers)}"


SECTIONS: tuple[tuple[str, Callable[[Results], str]], ...] = (
    ("fanout", fanout_cost),
    ("fanout", fanout_scaling),
    ("many", many),
    ("idle", idle),
    ("slow", slow),
)
"""Each with the scenario whose rows it needs."""
