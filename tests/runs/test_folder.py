"""Runs that are started at the same moment: each has a folder of its own."""

import json
import os
import threading
import time

import pytest

from errors import InputError
from runs import folder

PROCESSES = 12
TIMES = [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 5))]

if os.name != "posix":
    pytest.skip("the processes are forked", allow_module_level=True)


def at_once(work) -> list[str]:
    """What `work(k)` returns, or its InputError, in processes that wait for one another."""
    gate, go = os.pipe()
    pipes = []
    for number in range(PROCESSES):
        back, said = os.pipe()
        if os.fork() == 0:
            os.close(go)
            os.read(gate, 1)  # nothing comes: it ends when the parent closes
            try:
                os.write(said, str(work(number)).encode())
            except InputError as error:
                os.write(said, f"error: {error}".encode())
            finally:
                os._exit(0)
        os.close(said)
        pipes.append(back)
    os.close(go)
    found = []
    for back in pipes:
        with open(back) as file:
            found.append(file.read())
        os.wait()
    os.close(gate)
    return found


@pytest.mark.parametrize("again", TIMES)
def test_without_out_every_run_makes_its_own(again, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = at_once(lambda number: folder.create(None, "1", ["--seed", str(number)]))
    assert len(set(made)) == PROCESSES and not any(name.startswith("error") for name in made)
    for number, name in enumerate(made):
        assert json.loads((tmp_path / name / "run.json").read_text())["argv"] == ["--seed", str(number)]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("again", TIMES)
def test_of_one_out_one_run_has_it(again, there, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "PATIENCE", 60.0)  # a busy machine may leave a process waiting
    out = tmp_path / "out"
    if there:
        out.mkdir()
    made = at_once(lambda number: folder.create(out, "1", ["--seed", str(number)]))
    mine = [number for number, name in enumerate(made) if name == str(out)]
    assert len(mine) == 1, made
    assert all("is not an empty directory" in name for name in made if name != str(out)), made
    assert json.loads((out / "run.json").read_text())["argv"] == ["--seed", str(mine[0])]


def test_a_look_at_a_folder_does_not_cost_its_owner_the_run(tmp_path):
    """Another process may hold it for the moment that it takes to see that it is not empty."""
    inside = threading.Event()

    def look() -> None:
        with folder.held(tmp_path):
            inside.set()
            time.sleep(0.1)

    other = threading.Thread(target=look)
    other.start()
    inside.wait()
    with folder.held(tmp_path):
        pass
    other.join()


def test_a_folder_where_a_run_is_at_work_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "PATIENCE", 0.05)
    with folder.held(tmp_path), pytest.raises(InputError, match="another process is at work"), folder.held(tmp_path):
        pass


def test_what_is_in_a_folder_is_looked_at_by_whoever_holds_it(tmp_path, monkeypatch):
    """For anyone else files come and go while they look."""
    monkeypatch.setattr(folder, "PATIENCE", 0.0)
    with folder.held(tmp_path):
        (tmp_path / "elsewhere").symlink_to("/")
        with pytest.raises(InputError, match="another process is at work"), folder.held(tmp_path):
            pass
    with pytest.raises(InputError, match="elsewhere is a symbolic link"), folder.held(tmp_path):
        pass


def test_a_link_to_nowhere_is_no_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is a file"):
        folder.create(tmp_path / "link", "1", [])
    assert not (tmp_path / "nowhere").exists()
