"""``flowmaestro doctor`` as a process: its output, its exit code, and a server beside it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.cli.conftest import Run, on_a_terminal
from tests.support.server import database_url, server_process


def test_beside_a_running_server_which_goes_on(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir(mode=0o700)
    with server_process(folder) as server:
        url = database_url(folder)
        key = run("keys", "create", "--name", "me", "--bundle", "full-access", "--database", url)
        found = run(
            "doctor", "--database", url, "--url", server.base_url, "--json",
            FLOWMAESTRO_API_KEY=key.stdout.strip(),
        )  # fmt: skip
        findings = {line["check"]: line for line in map(json.loads, found.stdout.splitlines())}
        assert [line for line in findings.values() if line["state"] == "problem"] == []
        assert (found.returncode, found.stderr) == (0, "")
        assert str(server.process.pid) in findings["server.lock"]["text"]
        assert findings["server.descriptors"]["text"].startswith("the running server")
        assert "stream.buffering" in findings
        assert server.process.poll() is None
        assert server.stop() == 0


def test_a_problem_is_exit_code_1_and_a_line_with_what_to_do(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--database", "nowhere.db")
    assert (result.returncode, result.stderr) == (1, "")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line for line in lines if line[0] != "ok"] == [
        [
            "problem",
            "database",
            f"there is none at {tmp_path / 'nowhere.db'}",
            "say where it is with --database or FLOWMAESTRO_DATABASE; serve makes one",
        ]
    ]


def test_a_folder_that_is_not_there_is_to_be_made(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--database", "nowhere/flowmaestro.db")
    assert result.returncode == 1
    advice = "make the folder, or say where the database is"
    assert f"there is no folder {tmp_path / 'nowhere'}\t{advice}\n" in result.stdout


def test_each_setting_that_is_wrong_or_misspelled_is_named(run: Run) -> None:
    wrong = run("doctor", FLOWMAESTRO_PORT="eighty", FLOWMAESTRO_LOG_LEVEL="loud")
    told = [line.split("\t")[2] for line in wrong.stdout.splitlines() if line.startswith("prob")]
    assert [text.partition(":")[0] for text in told] == [
        "FLOWMAESTRO_PORT",
        "FLOWMAESTRO_LOG_LEVEL",
    ]
    misspelled = run("doctor", FLOWMAESTRO_WORKERS="3")
    assert "warning\tsettings\tno settings, and passed over: FLOWMAESTRO_WORKERS\t" in (
        misspelled.stdout
    )


def test_on_a_terminal_it_is_for_people(
    command_environment: dict[str, str], tmp_path: Path
) -> None:
    arguments = ["doctor", "--database", str(tmp_path / "nowhere.db")]
    screen, code = on_a_terminal(arguments, command_environment)
    assert code == 1
    assert "✓" in screen
    assert "→ say where it is" in screen
    assert "1 problem, 0 warnings" in screen


def test_with_an_address_alone_the_database_is_not_looked_at(run: Run) -> None:
    result = run("doctor", "--url", "http://127.0.0.1:1")
    assert result.returncode == 1
    [[_state, check, text, _advice]] = [line.split("\t") for line in result.stdout.splitlines()]
    assert check == "server.reach"
    assert "Errno" not in text


def test_to_wait_needs_an_address(run: Run) -> None:
    result = run("doctor", "--wait", "5")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--url" in result.stderr


def test_without_the_server_extras_an_address_can_be_looked_at(run: Run, tmp_path: Path) -> None:
    # A module of this name that cannot be imported stands for one that is not installed.
    missing = "sqlalchemy alembic fastapi starlette uvicorn filelock pydantic_settings jinja2 yaml"
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nfor name in {missing.split()}: sys.modules[name] = None\n"
    )
    with server_process(tmp_path) as server:
        remote = run("doctor", "--url", server.base_url, PYTHONPATH=str(tmp_path))
    assert remote.stderr == ""
    assert "server.ready" in remote.stdout
    local = run("doctor", PYTHONPATH=str(tmp_path))
    assert local.returncode == 1
    assert 'pip install "flowmaestro[server]"' in local.stderr
    assert len(local.stderr.splitlines()) == 1
