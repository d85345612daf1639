"""The client commands as processes, against a scripted server."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flowmaestro.events import LoggedEvent, decode_event
from tests.integration.cli.conftest import Run, on_a_terminal
from tests.support.recorded_events import cancelled, failed, frames, opening, short_log, started
from tests.support.scripted_server import (
    Answer,
    Request,
    failure,
    in_order,
    response,
    scripted_server,
    stream,
    success,
    unused_url,
)
from tests.support.sdk_shells import KEY

LOG = short_log()
WORKFLOW = {"id": "wf_greet", "name": "Greet", "version": 2, "definition": {"name": "Greet"}}
EXECUTION = {
    "id": "exec_01jx",
    "workflow_id": "wf_greet",
    "workflow_name": "Greet",
    "status": "completed",
    "inputs": {},
    "outputs": {"text": "Grüße"},
    "created_at": "2026-01-02T03:04:05.678Z",
    "duration_ms": 500,
}
ACCEPTED = {
    "execution_id": "exec_01jx",
    "workflow_id": "wf_greet",
    "status": "pending",
    "inputs": {"name": "Ada"},
    "events_url": "/api/v1/executions/exec_01jx/events",
}
ONE_PAGE = {
    "page": 1,
    "per_page": 20,
    "total_count": 1,
    "total_pages": 1,
    "has_next": False,
    "has_prev": False,
    "has_more": False,
}


def whole(log: list[LoggedEvent]) -> Answer:
    return stream(opening(log), *frames(log))


def test_watch_in_a_pipe_prints_a_line_for_each_event(run: Run) -> None:
    with scripted_server(whole(LOG)) as server:
        result = run("watch", "exec_01jx", url=server.url)
    assert result.returncode == 0
    assert result.stderr == ""
    assert [line.split(" ")[1:3] for line in result.stdout.splitlines()] == [
        [str(number), event.type] for number, event in enumerate(LOG, 1)
    ]
    assert server.requests[0].query["include"].split(",") == [
        "node:expanded",
        "node:log",
        "node:retrying",
        "node:skipped",
    ]


def test_watch_json_prints_the_events_through_disconnects(run: Run) -> None:
    answers = in_order(
        whole(LOG).cut(len(whole(LOG).data) - 60), stream(opening(LOG), *frames(LOG, 3))
    )
    with scripted_server(answers) as server:
        result = run("watch", "exec_01jx", "--json", url=server.url)
    assert result.returncode == 0
    assert [decode_event(line) for line in result.stdout.splitlines()] == LOG
    assert result.stderr.startswith("reconnecting in ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("last", "code"), [(failed(), 1), (cancelled(), 130)])
def test_watch_exits_as_the_execution_ended(run: Run, last: LoggedEvent, code: int) -> None:
    with scripted_server(whole([started(), last])) as server:
        assert run("watch", "exec_01jx", url=server.url).returncode == code


def test_execute_prints_the_id_alone(run: Run) -> None:
    with scripted_server(success(ACCEPTED, 202)) as server:
        result = run("execute", "wf_greet", "--input", "name=Ada", "-i", "count=3", url=server.url)
    assert (result.returncode, result.stdout, result.stderr) == (0, "exec_01jx\n", "")
    assert server.requests[0].json == {"inputs": {"name": "Ada", "count": 3}}


@pytest.mark.parametrize("base_path", ["", "/v1", "/api/v1"])
def test_execute_open_opens_the_page_with_a_ticket(
    run: Run, tmp_path: Path, base_path: str
) -> None:
    ticket = {
        "ticket": "fm_ticket_v1.a.b",
        "expires_at": "2026-01-02T03:04:05.678Z",
        "events_url": "/api/v1/executions/exec_01jx/events?ticket=fm_ticket_v1.a.b",
    }
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > "$0.opened"\n')
    browser.chmod(0o755)
    with scripted_server(in_order(success(ACCEPTED, 202), success(ticket, 201))) as server:
        result = run(
            "execute", "wf_greet", "--open", url=server.url + base_path, BROWSER=str(browser)
        )
        link = f"{server.url}/executions/exec_01jx#ticket=fm_ticket_v1.a.b"
    assert (result.returncode, result.stdout) == (0, "exec_01jx\n")
    assert result.stderr == f"Watch it at {link}\n"
    assert (tmp_path / "browser.opened").read_text() == f"{link}\n"
    assert [request.path for request in server.requests][1].endswith("/tickets")
    assert server.requests[1].json == {"ttl_seconds": 3600}


def test_execute_watch_follows_to_the_end(run: Run, tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        return success(ACCEPTED, 202) if request.method == "POST" else whole(LOG)

    (tmp_path / "inputs.json").write_text('{"name": "Ada"}')
    with scripted_server(script) as server:
        result = run(
            "execute", "wf_greet", "--inputs-file", "inputs.json", "--watch", "--json",
            url=server.url,
        )  # fmt: skip
    assert result.returncode == 0
    assert [json.loads(line)["type"] for line in result.stdout.splitlines()] == [
        event.type for event in LOG
    ]
    assert server.requests[0].json == {"inputs": {"name": "Ada"}}


def test_executions_list_is_tab_separated_in_a_pipe(run: Run) -> None:
    with scripted_server(success([EXECUTION], pagination=ONE_PAGE)) as server:
        result = run(
            "executions", "list", "--status", "completed", "--workflow", "wf_greet", url=server.url
        )
        as_json = run("executions", "list", "--json", url=server.url)
    assert result.stdout.rstrip("\n").split("\t") == [
        "exec_01jx",
        "completed",
        "Greet",
        "2026-01-02T03:04:05.678Z",
        "500ms",
    ]
    assert server.requests[0].query["status"] == "completed"
    assert json.loads(as_json.stdout)["id"] == "exec_01jx"


@pytest.mark.parametrize(
    ("options", "body"), [((), None), (("--reason", "not needed"), {"reason": "not needed"})]
)
def test_executions_cancel_gives_the_reason(
    run: Run, options: tuple[str, ...], body: dict[str, str] | None
) -> None:
    with scripted_server(success(EXECUTION)) as server:
        result = run("executions", "cancel", "exec_01jx", *options, url=server.url)
    assert result.returncode == 0, result.stderr
    assert (server.requests[0].json if server.requests[0].body else None) == body


def test_executions_get_and_cancel(run: Run) -> None:
    with scripted_server(success(EXECUTION)) as server:
        assert json.loads(run("executions", "get", "exec_01jx", url=server.url).stdout)[
            "outputs"
        ] == {"text": "Grüße"}
        assert run("executions", "cancel", "exec_01jx", url=server.url).stdout == "completed\n"
    assert server.requests[1].path.endswith("/executions/exec_01jx/cancel")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("greet.json", '{"id": "wf_greet", "name": "Greet"}'),
        ("greet.yaml", "id: wf_greet\nname: Greet\n"),
    ],
)
def test_workflows_push_replaces_or_creates(run: Run, tmp_path: Path, name: str, text: str) -> None:
    def script(request: Request) -> Answer:
        return failure(404, "resource_not_found") if request.method == "PUT" else success(WORKFLOW)

    (tmp_path / name).write_text(text)
    with scripted_server(script) as server:
        result = run("workflows", "push", name, url=server.url)
    assert (result.returncode, result.stdout) == (0, "wf_greet\n")
    replace, create = server.requests
    assert (replace.method, replace.path) == ("PUT", "/api/v1/workflows/wf_greet")
    assert create.json == {"name": "Greet", "id": "wf_greet"}


def test_workflows_push_tells_every_problem(run: Run) -> None:
    problems = [
        {"path": "nodes.a.config.url", "message": "This field is required.", "code": "missing"},
        {"path": "edges[0]", "message": "There is no node 'b'.", "code": "unknown"},
    ]
    refused = failure(400, "validation_error", details={"problems": problems})
    with scripted_server(refused) as server:
        result = run("workflows", "push", "-", url=server.url, text='{"name": "x"}')
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: nodes.a.config.url: This field is required.",
        "error: edges[0]: There is no node 'b'.",
    ]


def test_workflows_list_get_and_delete(run: Run) -> None:
    def script(request: Request) -> Answer:
        if request.method == "DELETE":
            return response(204)
        if request.path.endswith("/workflows"):
            return success([WORKFLOW], pagination=ONE_PAGE)
        return success(WORKFLOW)

    with scripted_server(script) as server:
        assert run("workflows", "list", url=server.url).stdout == "wf_greet\t2\tGreet\t-\n"
        shown = json.loads(run("workflows", "get", "wf_greet", url=server.url).stdout)
        assert shown["definition"] == {"name": "Greet"}
        assert run("workflows", "delete", "wf_greet", url=server.url).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "answer", "message"),
    [
        (("watch", "exec_x"), failure(404, "resource_not_found", "There is no such."), "no such"),
        (("watch", "exec_x"), failure(401, "invalid_api_key", "No such key."), "FLOWMAESTRO_API"),
        (("executions", "list"), failure(403, "insufficient_scope", "It lacks x."), "lacks x"),
        (("executions", "list"), response(200, b"<html>"), "base URL"),
    ],
)
def test_errors_are_one_line(
    run: Run, arguments: tuple[str, ...], answer: Answer, message: str
) -> None:
    with scripted_server(answer) as server:
        result = run(*arguments, url=server.url)
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert KEY not in result.stderr


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (failure(429, "rate_limit_exceeded", "Enough.", retry_after="500"), "again in 500 seconds"),
        (failure(503, "service_unavailable", "Enough.", retry_after="500"), "again in 500 seconds"),
        (
            failure(429, "rate_limit_exceeded", "So try again in 500 s.", retry_after="500"),
            "500 s.",
        ),
    ],
)
def test_a_server_that_would_have_us_wait_too_long_says_once_for_how_long(
    run: Run, answer: Answer, told: str
) -> None:
    with scripted_server(answer) as server:
        result = run("executions", "list", url=server.url)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert told in result.stderr
    assert result.stderr.count("again in") == 1
    assert "req_1" in result.stderr


def test_a_long_wait_is_told(run: Run) -> None:
    busy = failure(503, "service_unavailable", "Too much is asked for.", retry_after="3")
    with scripted_server(in_order(busy, success([EXECUTION], pagination=ONE_PAGE))) as server:
        result = run("executions", "list", url=server.url)
    assert result.returncode == 0
    assert re.match(r"trying again in 3\.\d s: Too much is asked for\.", result.stderr)


def test_nobody_listening_says_what_to_do(run: Run) -> None:
    result = run("executions", "list", url=unused_url())
    assert result.returncode == 1
    assert "flowmaestro serve" in result.stderr
    assert "Errno" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("frobnicate",), "(flowmaestro --help)"),
        (("keys", "frobnicate"), "(flowmaestro keys --help)"),
        (("watch",), "(flowmaestro watch --help)"),
        (("watch", "a", "b"), "(flowmaestro watch --help)"),
        (("execute", "wf", "--input", "novalue"), "is not NAME=VALUE"),
        (("executions", "list", "--status", "odd"), "(flowmaestro executions list --help)"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_says_where_help_is_and_2(
    run: Run, arguments: tuple[str, ...], advice: str
) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith(f" {advice}\n")


def test_without_a_key_it_says_how_to_make_one(run: Run) -> None:
    result = run("watch", "exec_1", FLOWMAESTRO_API_KEY="")
    assert result.returncode == 1
    assert "flowmaestro keys create" in result.stderr


def test_help_and_version_need_nothing_heavy(command_environment: dict[str, str]) -> None:
    heavy = ["pydantic", "httpx2", "rich", "sqlalchemy", "fastapi", "asyncio", "jinja2"]
    program = (
        "import sys; from flowmaestro.cli.app import run\n"
        "codes = [run(['--help']), run(['--version'])]\n"
        f"print(codes, [name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=command_environment,
        timeout=60,
    )
    assert result.stderr == "[0, 0] []\n"
    assert "executions" in result.stdout


@pytest.mark.parametrize("group", [(), ("keys",), ("executions",), ("workflows",)])
def test_the_help_cuts_no_command_s_summary_short(run: Run, group: tuple[str, ...]) -> None:
    result = run(*group, "--help", COLUMNS="80")
    assert result.returncode == 0
    summaries = result.stdout.partition("Commands:\n")[2].splitlines()
    assert summaries
    assert [line for line in summaries if line.endswith("...")] == []


def test_a_reader_that_goes_away_is_no_error(command_environment: dict[str, str]) -> None:
    many = [started(), *LOG[1:3] * 2000, LOG[3]]
    with scripted_server(whole(many)) as server:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from flowmaestro.cli import main; main()",
                "watch",
                "exec_01jx",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**command_environment, "FLOWMAESTRO_BASE_URL": server.url},
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""
        process.stderr.close()


def test_ctrl_c_exits_with_130_and_no_traceback(command_environment: dict[str, str]) -> None:
    open_ended = Answer(whole(LOG).pieces[:4], "stall")
    with scripted_server(open_ended) as server:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from flowmaestro.cli import main; main()",
                "watch",
                "exec_01jx",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**command_environment, "FLOWMAESTRO_BASE_URL": server.url},
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b""


def test_a_terminal_gets_the_live_view(command_environment: dict[str, str]) -> None:
    with scripted_server(whole(LOG)) as server:
        screen, code = on_a_terminal(
            ["watch", "exec_01jx"], {**command_environment, "FLOWMAESTRO_BASE_URL": server.url}
        )
    assert code == 0
    for shown in ("Greet", "completed", "✓", "100%", "Grüße"):
        assert shown in screen
