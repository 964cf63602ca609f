"""Downloads, from a server on this machine that can be told to cut, to alter, to forget what it was asked."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import numpy as np
import pytest

from wagegap import datasets
from wagegap.datasets import transfer
from wagegap.datasets.transfer import KnownFile
from wagegap.errors import ChecksumError, DataError, DownloadError, OptionError, OutputError

door = import_module("wagegap.datasets.download")  # the package's attribute of that name is the function
BODY = np.random.default_rng(0).bytes(1_000_003)  # several chunks, and no round number of them
CUT = 400_000


def in_words(value):
    """Name of a case, the same in every process: a set has no order, and bytes are many."""
    return value if isinstance(value, str) else type(value).__name__


class Server(ThreadingHTTPServer):
    """What it does is in `tricks`; what it was asked for, in `asked`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.tricks, self.cuts, self.asked, self.body = set(), [], [], BODY

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/results.csv"

    def handle_error(self, request, client_address):
        """Clients that break off are part of the plan."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        tricks = self.server.tricks
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        refused = self.refused(tricks)
        if refused:
            return self.answer(*refused)
        body = self.server.body
        if "altered" in tricks:
            body = body[:-1] + bytes([body[-1] ^ 1])
        body = body + b"more" if "longer" in tricks else body[:-7] if "shorter" in tricks else body
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if start and "range refused" in tricks:
            return self.answer(416, b"")
        if start and "range forgotten" not in tricks:
            first = 0 if "wrong range" in tricks else start
            return self.answer(206, body[start:], {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"})
        return self.answer(200, body)

    def refused(self, tricks):
        for code in (403, 404, 500, 503):
            if code in tricks:
                return code, b"no"
        if "page" in tricks:
            return 200, b"<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"}
        if "pointer" in tricks:
            oid = hashlib.sha256(self.server.body).hexdigest()
            return 200, f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\n".encode()
        if "redirect to nowhere" in tricks:
            return 302, b"", {"Location": "http://a..b/"}
        if "packed" in tricks:
            return 200, gzip.compress(self.server.body), {"Content-Encoding": "gzip"}
        if "redirect" in tricks and self.path != "/moved":
            return 302, b"", {"Location": "/moved"}
        if "redirect to a file" in tricks:
            return 302, b"", {"Location": "file:///etc/hostname"}
        return None

    def answer(self, code, body, headers=None):
        tricks = self.server.tricks
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "no length" not in tricks:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if "silent" in tricks:
            time.sleep(1.5)
        if "cut" in tricks:
            body = body[:CUT]
        if self.server.cuts:
            body = body[: self.server.cuts.pop()]
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.delenv("WAGEGAP_DATA", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    known = KnownFile("example", made.url, len(BODY), hashlib.sha256(BODY).hexdigest())
    entry = door._Entry(known, 2019, "so_survey/example.csv", "terms", "source")
    monkeypatch.setattr(door, "_registry", lambda: {"example": entry})
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "so_survey" / "example.csv"


@pytest.fixture
def part(target):
    return transfer.part_of(target)


def get(tmp_path, **options):
    return datasets.download("example", folder=tmp_path, timeout=options.pop("timeout", 20.0), **options)


def test_a_file_comes_whole_and_once(server, tmp_path, target, part):
    assert get(tmp_path) == target
    assert target.read_bytes() == BODY
    assert not part.exists()
    written = target.stat().st_mtime_ns
    assert get(tmp_path) == target
    assert datasets.download(["example"], folder=tmp_path) == [target]
    assert server.asked == [None]
    assert target.stat().st_mtime_ns == written


def test_the_folder_is_that_of_the_variable(server, tmp_path, target, monkeypatch):
    monkeypatch.setenv("WAGEGAP_DATA", str(tmp_path))
    assert datasets.download("example") == target


def test_a_lost_connection_is_resumed(server, tmp_path, target, part):
    server.tricks = {"cut"}
    with pytest.raises(DownloadError, match=r"400,000 of 1,000,003 bytes are in example\.csv\.part; call again"):
        get(tmp_path)
    assert not target.exists()
    assert part.read_bytes() == BODY[:CUT]
    with pytest.raises(DownloadError, match="800,000 of"):
        get(tmp_path)
    server.tricks = set()
    assert get(tmp_path).read_bytes() == BODY
    assert server.asked == [None, "bytes=400000-", "bytes=800000-"]
    assert not part.exists()


@pytest.mark.parametrize("seed", range(8))
def test_wherever_it_is_cut_the_whole_comes_in_the_end(server, tmp_path, target, part, seed):
    """Cuts anywhere, at the first byte and the last included: each call adds what came, and none is fetched twice."""
    rng = np.random.default_rng(seed)
    server.cuts = [int(cut) for cut in rng.integers(1, len(BODY) // 3, 12)] + [0, 1, len(BODY) - 1][: seed % 4]
    there = 0
    for _ in range(40):
        try:
            get(tmp_path)
            break
        except DownloadError:
            assert not target.exists()
            now = part.stat().st_size if part.exists() else 0
            assert now >= there
            assert BODY.startswith(part.read_bytes() if now else b"")
            there = now
    assert len(server.asked) > 1
    assert target.read_bytes() == BODY
    assert os.listdir(target.parent) == ["example.csv"]
    starts = [int(asked[6:-1]) if asked else 0 for asked in server.asked]
    assert starts == sorted(starts)


@pytest.mark.parametrize("trick", ["range refused", "range forgotten", "wrong range"])
def test_without_ranges_it_starts_anew(server, tmp_path, part, trick):
    part.parent.mkdir()
    part.write_bytes(BODY[:CUT])
    server.tricks = {trick}
    assert get(tmp_path).read_bytes() == BODY
    assert server.asked[0] == "bytes=400000-"
    assert len(server.asked) == (1 if trick == "range forgotten" else 2)


def test_a_whole_part_needs_no_server(server, tmp_path, part):
    part.parent.mkdir()
    part.write_bytes(BODY)
    assert get(tmp_path).read_bytes() == BODY
    assert server.asked == []


@pytest.mark.parametrize("left", [BODY + b"x", b"?" * len(BODY)], ids=["too long", "altered"])
def test_a_part_that_cannot_be_continued_is_thrown_away(server, tmp_path, part, left):
    part.parent.mkdir()
    part.write_bytes(left)
    assert get(tmp_path).read_bytes() == BODY
    assert server.asked == [None]


def test_an_altered_part_is_found_out_at_the_end(server, tmp_path, target, part):
    part.parent.mkdir()
    part.write_bytes(b"?" * CUT)
    with pytest.raises(ChecksumError, match=r"SHA-256 [0-9a-f]{64}, not [0-9a-f]{64}.*call again"):
        get(tmp_path)
    assert os.listdir(target.parent) == []
    assert get(tmp_path).read_bytes() == BODY


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, tmp_path, target):
    server.tricks = {"altered"}
    with pytest.raises(ChecksumError, match="altered on the way, or published anew"):
        get(tmp_path)
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize(
    ("tricks", "said"),
    [
        ({"page"}, "sends a page, not the file"),
        ({"pointer"}, "pointer of git-lfs.*media.githubusercontent.com/media/OWNER"),
        ({"longer"}, r"has a file of 1,000,007 bytes, the published one has 1,000,003"),
        ({"longer", "no length"}, "sends more than the 1,000,003 bytes"),
        ({"shorter"}, r"has a file of 999,996 bytes"),
        ({404}, "answered 404 Not Found.*url="),
        ({403}, "answered 403 Forbidden.*in a browser"),
        ({503}, "answered 503 Service Unavailable.*later"),
        ({"redirect", "redirect to a file"}, "file:///etc/hostname"),
        ({"redirect", "redirect to nowhere"}, "label empty"),
        ({"packed"}, r"sends the file packed \(gzip\)"),
        ({"packed", "no length"}, r"sends the file packed \(gzip\)"),
    ],
    ids=in_words,
)
def test_what_is_not_the_file_is_refused(server, tmp_path, target, tricks, said):
    server.tricks = tricks
    with pytest.raises(DownloadError, match=said):
        get(tmp_path)
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("trick", ["page", "pointer", 404, 503])
def test_a_refusal_does_not_cost_the_part(server, tmp_path, part, trick):
    part.parent.mkdir()
    part.write_bytes(BODY[:CUT])
    server.tricks = {trick, "range forgotten"}
    with pytest.raises(DownloadError):
        get(tmp_path)
    assert part.read_bytes() == BODY[:CUT]


def test_a_redirection_is_followed_with_its_range(server, tmp_path, part):
    part.parent.mkdir()
    part.write_bytes(BODY[:CUT])
    server.tricks = {"redirect"}
    assert get(tmp_path).read_bytes() == BODY
    assert server.asked == ["bytes=400000-", "bytes=400000-"]


def test_without_a_length_the_hash_decides(server, tmp_path):
    server.tricks = {"no length"}
    assert get(tmp_path).read_bytes() == BODY


def test_a_cut_without_a_length_is_resumed(server, tmp_path):
    server.tricks = {"no length", "cut"}
    with pytest.raises(DownloadError, match="400,000 of"):
        get(tmp_path)
    server.tricks = set()
    assert get(tmp_path).read_bytes() == BODY


def test_a_server_that_falls_silent(server, tmp_path, target):
    server.tricks = {"silent"}
    with pytest.raises(DownloadError, match="sent nothing for longer than timeout= allows"):
        get(tmp_path, timeout=0.2)
    assert os.listdir(target.parent) == []


def test_no_network(server, tmp_path, target):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as gone:
        port = gone.server_address[1]
    with pytest.raises(DownloadError, match=r"cannot be reached .*refused.*Nothing was fetched"):
        get(tmp_path, url=f"http://127.0.0.1:{port}/results.csv")
    assert os.listdir(target.parent) == []


def test_an_interruption_keeps_the_part_and_stays_an_interruption(server, tmp_path, target, part, monkeypatch):
    take = transfer._Part.take

    def interrupted(self, chunk):
        if self.size > CUT:
            raise KeyboardInterrupt
        take(self, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(transfer._Part, "take", interrupted)
        with pytest.raises(KeyboardInterrupt, match=r"of 1,000,003 bytes are in example\.csv\.part; call again"):
            get(tmp_path)
    there = part.stat().st_size
    assert CUT < there < len(BODY)
    assert part.read_bytes() == BODY[:there]
    assert not target.exists()
    assert get(tmp_path).read_bytes() == BODY
    assert server.asked == [None, f"bytes={there}-"]


def test_a_killed_process_leaves_a_part_that_is_resumed(server, tmp_path, target, part):
    """SIGKILL, which no program can see coming: neither a half file nor a lock is left."""
    known = KnownFile("example", server.url, len(BODY), hashlib.sha256(BODY).hexdigest())
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom wagegap.datasets import transfer\n"
        f"known = transfer.KnownFile(*{(known.name, known.url, known.size, known.sha256)!r})\n"
        f"die = lambda there: os.kill(os.getpid(), signal.SIGKILL) if there > {CUT} else None\n"
        f"transfer.fetch(known, Path({str(target)!r}), timeout=20.0, report=die)\n"
    )
    target.parent.mkdir()
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode != 0
    assert not target.exists()
    there = part.stat().st_size
    assert get(tmp_path).read_bytes() == BODY
    assert server.asked[-1] == f"bytes={there}-"


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks")
def test_two_at_once(server, tmp_path, target, part):
    known = door._registry()["example"].known
    part.parent.mkdir()
    said = r"another process is fetching example into .*example\.csv\.part"
    with transfer._held(part, known), pytest.raises(DownloadError, match=said):
        get(tmp_path)
    assert server.asked == []
    assert get(tmp_path).read_bytes() == BODY


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks")
def test_many_at_once_end_with_one_file(server, tmp_path, target):
    """Each either fetches it, finds it, or is told; the file is never wrong, and nothing else stays."""
    outcomes, lock = [], threading.Lock()

    def one():
        try:
            found = get(tmp_path).read_bytes() == BODY
        except DownloadError as error:
            found = "another process" in str(error)
        with lock:
            outcomes.append(found)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [True] * 12
    assert target.read_bytes() == BODY
    assert os.listdir(target.parent) == ["example.csv"]


def test_a_file_that_came_while_waiting_is_not_fetched_again(server, tmp_path, target, part):
    known = door._registry()["example"].known
    target.parent.mkdir()
    target.write_bytes(BODY)
    transfer.fetch(known, target, timeout=20.0, report=lambda there: None)
    assert server.asked == []
    assert os.listdir(target.parent) == ["example.csv"]


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (BODY[:1000], r"it has 1,000 bytes, not 1,000,003"),
        (b"?" * len(BODY), r"its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}"),
    ],
    ids=["truncated", "altered"],
)
def test_an_altered_copy_is_never_written_over_unasked(server, tmp_path, target, left, said):
    target.parent.mkdir()
    target.write_bytes(left)
    with pytest.raises(ChecksumError, match=f"not example as published: {said}.*overwrite=True"):
        get(tmp_path)
    assert target.read_bytes() == left
    assert server.asked == []
    server.tricks = {"cut"}
    with pytest.raises(DownloadError):
        get(tmp_path, overwrite=True)
    assert target.read_bytes() == left  # replaced only by a whole file
    server.tricks = set()
    assert get(tmp_path, overwrite=True).read_bytes() == BODY


def test_a_folder_in_its_place(server, tmp_path, target):
    target.mkdir(parents=True)
    with pytest.raises(OutputError, match=r"is a folder, where example should be"):
        get(tmp_path)


def test_a_file_in_place_of_the_folder(server, tmp_path):
    (tmp_path / "so_survey").write_text("in the way")
    with pytest.raises(OutputError, match="so_survey"):
        get(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder(server, tmp_path, target):
    target.parent.mkdir()
    target.parent.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"cannot be written: Permission denied.*folder="):
            get(tmp_path)
    finally:
        target.parent.chmod(0o700)


def test_a_full_disk(server, tmp_path, part, monkeypatch):
    class Full:
        def __init__(self, handle):
            self.handle = handle

        def __getattr__(self, name):
            return getattr(self.handle, name)

        def write(self, chunk):
            if self.handle.tell() > CUT:
                raise OSError(28, "No space left on device")
            return self.handle.write(chunk)

    begin = transfer._Part.__init__

    def full(self, path, handle):
        begin(self, path, handle)
        self._handle = Full(handle)

    monkeypatch.setattr(transfer._Part, "__init__", full)
    with pytest.raises(OutputError, match=r"No space left on device.*what was fetched before is kept"):
        get(tmp_path)
    assert part.read_bytes() == BODY[: part.stat().st_size]
    assert part.stat().st_size > CUT


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"name": "exampel"}, OptionError, "Did you mean 'example'"),
        ({"url": "ftp://host/file"}, OptionError, "http:// or https://"),
        ({"url": "file:///etc/passwd"}, OptionError, "http:// or https://"),
        ({"url": "http://a..b/file"}, OptionError, "http:// or https://"),
        ({"url": "http://[::1/file"}, OptionError, "http:// or https://"),
        ({"url": "http://host:port/file"}, OptionError, "http:// or https://"),
        ({"url": 5}, OptionError, "url=5 must be an address"),
        ({"name": ["example", "example"], "url": "http://host/file"}, OptionError, "2 names are given"),
        ({"timeout": 0}, OptionError, "timeout=0 must be"),
        ({"folder": None}, DataError, "pass folder=, or set WAGEGAP_DATA"),
        ({"folder": "no/such/folder"}, DataError, "no folder 'no/such/folder': make it first"),
    ],
    ids=in_words,
)
def test_what_cannot_be_asked(server, tmp_path, options, error, said):
    given = {"name": "example", "folder": tmp_path, **options}
    with pytest.raises(error, match=said):
        datasets.download(given.pop("name"), **given)
    assert server.asked == []


def test_progress_goes_to_stderr_on_request(server, tmp_path, capsys):
    get(tmp_path, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert 2 <= len(lines) <= 11
    assert re.fullmatch(r"example: 1\.0 of 1\.0 MB \(100%\), [\d,.]+ MB/s", lines[-1])
    assert get(tmp_path) is not None
    assert capsys.readouterr() == ("", "")


def test_progress_of_a_terminal_is_one_line(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    get(tmp_path, progress=True)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert err.startswith("\rexample: ")


def test_the_list_says_what_is_there(server, tmp_path, target, part):
    def state(**options):
        return datasets.downloads(folder=tmp_path, **options)["local"].item()

    assert state() == "absent"
    server.tricks = {"cut"}
    with pytest.raises(DownloadError):
        get(tmp_path)
    assert state() == "part"
    server.tricks = set()
    get(tmp_path)
    assert (state(), state(verify=True)) == ("present", "verified")
    target.write_bytes(b"?" * len(BODY))
    assert (state(), state(verify=True)) == ("present", "altered")
    target.write_bytes(BODY[:5])
    assert (state(), state(verify=True)) == ("altered", "altered")


def test_the_registry_is_fit_for_use():
    frame = datasets.downloads()
    assert frame["name"].tolist() == [f"stack_overflow_{year}" for year in range(2011, 2026)]
    assert frame["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert frame["sha256"].is_unique
    assert frame["bytes"].gt(900_000).all()
    assert frame["file"].is_unique
    address = (
        r"https://media\.githubusercontent\.com/media/StackExchange/Survey/main/packages/archive/(\d{4})/results\.csv"
    )
    assert frame["url"].str.extract(address)[0].astype(int).tolist() == frame["year"].tolist()


def test_the_registry_agrees_with_what_was_recorded(facts):
    recorded = [(int(year), *values) for year, values in facts("downloads").items()]
    frame = datasets.downloads()
    assert list(zip(frame["year"], frame["bytes"], frame["sha256"], strict=True)) == recorded
