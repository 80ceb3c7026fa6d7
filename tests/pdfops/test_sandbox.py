"""Foreign input is parsed by children that can be killed; whatever happens to one costs one job."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pdfops import child, preview, wire
from pdfops.errors import PdfError
from pdfops.fields import Place
from pdfops.sandbox import Limits, Workshop, WorkshopClosedError
from pdfops.seal import SealOrder
from tests.pdfops import samples

ROOT = Path(__file__).parents[2]
PLACE = Place("f", "p", 1, 100_000, 100_000, 300_000, 100_000)
BOMBS: dict[str, Callable[[], bytes]] = {
    "kids_loop": samples.kids_loop,
    "kids_explosion": samples.kids_explosion,
    "form_recursion": samples.form_recursion,
    "deep_arrays": samples.deep_arrays,
    "flate_bomb": samples.flate_bomb,
    "junk_after_header": samples.junk_after_header,
    "many_pages": lambda: samples.many_pages(5_001),
}

BOUNDED_S = 8.0
"""Twice a job's time, which a slow one gets where the machine is busy with other things, and the time to end it."""


@pytest.fixture
def own() -> Iterator[Workshop]:
    """A workshop that a test may maltreat."""
    with Workshop(children=1, limits=Limits(job_s=2.0, verify_s=2.0)) as opened:
        yield opened


def outcome(job: Callable[[], object]) -> str:
    try:
        job()
    except PdfError as error:
        return error.code
    return "done"


def processes_of(pid: int) -> list[int]:
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and parent_of(int(entry.name)) == pid
    ]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return -1


def is_gone(pid: int, within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        os.sched_yield()
    return False


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_or_done_in_bounded_time(own: Workshop, name: str) -> None:
    data = BOMBS[name]()
    for job in (
        lambda: own.inspect(data),
        lambda: own.preview(data, 1, 500),
        lambda: own.prepare(data, [PLACE]),
        lambda: own.verify(data),
    ):
        own.inspect(samples.simple_pdf())  # a child is there and warm
        start = time.monotonic()
        assert outcome(job) in ("done", "damaged", "too-slow", "too-heavy", "too-many-pages")
        assert time.monotonic() - start < BOUNDED_S


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-a-pdf"),
        (b"hello", "not-a-pdf"),
        (b"\xef\xbb\xbf" + samples.simple_pdf(), "not-a-pdf"),
        (b"%PDF-1.7\nand nothing else", "damaged"),
        (samples.simple_pdf() + b" " * 3_000, "damaged"),
        (samples.damaged_pdf(), "damaged"),
        (samples.encrypted_pdf(), "encrypted"),
        (samples.encrypted_pdf("secret"), "encrypted"),
        (samples.simple_pdf(0), "damaged"),
    ],
    ids=["empty", "text", "bom", "no-end", "long-tail", "cut", "empty-password", "password", "no-pages"],
)
def test_what_cannot_take_part_is_refused_with_its_reason(workshop: Workshop, data: bytes, code: str) -> None:
    assert outcome(lambda: workshop.inspect(data)) == code
    assert outcome(lambda: workshop.prepare(data, [PLACE])) == code
    if code == "not-a-pdf":
        assert outcome(lambda: workshop.preview(data, 1, 100)) == code
    assert outcome(lambda: workshop.verify(data)) in (code, "done")


def form_pdf(form: bytes) -> bytes:
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm %s >>" % form,
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        ]
    )


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (b"<< /Fields 3 >>", "damaged"),
        (b"<< /Fields << >> >>", "damaged"),
        (b"[ 3 0 R ]", "damaged"),
        (b"<< /Fields [%s] >>" % (b"null " * 10_001), "damaged"),
        (b"<< /Fields null >>", "done"),
        (b"<< >>", "done"),
        (b"null", "done"),
        (b"<< /Fields [] >>", "done"),
    ],
)
def test_inspecting_says_of_a_form_what_preparing_would_find(workshop: Workshop, form: bytes, code: str) -> None:
    data = form_pdf(form)
    assert outcome(lambda: workshop.inspect(data)) == code
    assert outcome(lambda: workshop.prepare(data, [PLACE])) == code


def test_a_preview_of_a_document_under_a_password_is_refused(workshop: Workshop) -> None:
    """One that opens without asking may be looked at (somebody can validate it); it cannot be signed."""
    assert outcome(lambda: workshop.preview(samples.encrypted_pdf("secret"), 1, 100)) == "encrypted"
    assert outcome(lambda: workshop.preview(samples.encrypted_pdf(""), 1, 100)) == "done"


def test_pages_and_places_that_are_not_there_are_refused(workshop: Workshop) -> None:
    data = samples.simple_pdf(2)
    assert outcome(lambda: workshop.preview(data, 3, 100)) == "no-such-page"
    assert outcome(lambda: workshop.preview(data, 0, 100)) == "no-such-page"
    assert outcome(lambda: workshop.prepare(data, [Place("f", "p", 3, 0, 0, 1, 1)])) == "no-such-page"
    assert outcome(lambda: workshop.prepare(data, [Place("f", "p", 1, 900_000, 0, 200_000, 1)])) == "outside-page"
    prepared = workshop.prepare(data, [PLACE])
    assert outcome(lambda: workshop.prepare(prepared, [PLACE])) == "field-taken"


def with_page(bad: bytes, before: int, after: int) -> bytes:
    """A document of blank pages but for one, whose entries (and objects from 5 on) are ``bad``."""
    own, *more = bad.split(b"|||")
    blank = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] >>"
    count = before + 1 + after
    first = 5 + len(more)
    pages = [blank] * (before + after)
    numbers = [*range(first, first + before), 4, *range(first + before, first + before + after)]
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    return samples.build(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count),
            b"null",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] %s >>" % own,
            *more,
            *pages,
        ]
    )


def bomb_page() -> bytes:
    once = zlib.compress(b" " * 300_000_000, 9)
    return b"/Contents 5 0 R|||" + samples.stream(zlib.compress(once, 9), b"/Filter [/FlateDecode /FlateDecode] ")


def test_every_page_of_an_ordinary_document_renders(workshop: Workshop) -> None:
    for data, pages in (
        (samples.simple_pdf(), 1),
        (samples.simple_pdf(120), 120),
        (samples.signed_pdf(), 2),
        (samples.sized_pdf(15_000_000), 1),
        (samples.simple_pdf(media=(0, 0, 20_000, 10)), 1),
        (samples.simple_pdf(media=(0, 0, 1, 14_400)), 1),
    ):
        assert workshop.inspect(data).pages == pages
        workshop.check_renders(data, pages)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 2), (120, 130)])
def test_a_page_that_cannot_be_shown_is_named(workshop: Workshop, before: int, after: int) -> None:
    data = with_page(bomb_page(), before, after)
    assert workshop.inspect(data).pages == before + 1 + after
    with pytest.raises(PdfError) as caught:
        workshop.check_renders(data)
    assert (caught.value.code, caught.value.values) == ("unrenderable", {"page": before + 1})


@pytest.mark.parametrize("name", ["form_recursion", "flate_bomb"])
def test_a_bomb_is_unrenderable_in_bounded_time(own: Workshop, name: str) -> None:
    data = BOMBS[name]()
    own.inspect(data)
    start = time.monotonic()
    with pytest.raises(PdfError) as caught:
        own.check_renders(data)
    assert (caught.value.code, caught.value.values) == ("unrenderable", {"page": 1})
    assert time.monotonic() - start < BOUNDED_S
    own.check_renders(samples.simple_pdf())


def test_a_page_nobody_else_knows_cannot_be_shown(workshop: Workshop) -> None:
    for pages, page in ((1, 2), (3, 3)):
        with pytest.raises(PdfError) as caught:
            workshop.check_renders(samples.simple_pdf(2), pages)
        assert (caught.value.code, caught.value.values) == ("unrenderable", {"page": page})


def test_a_long_document_is_sampled_before_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(preview, "CHECK_S", 0.0)
    assert preview.check_renders(samples.simple_pdf(250), 250, tried.append) == 1
    monkeypatch.undo()
    tried.clear()
    assert preview.check_renders(samples.simple_pdf(250), 250, tried.append) == 250
    assert tried[:5] == [1, 250, 3, 5, 7]
    assert sorted(tried) == list(range(1, 251))


@pytest.mark.parametrize(
    ("box", "is_shown"),
    [
        (b"/CropBox [1000 1000 2000 2000]", False),
        (b"/CropBox [599.5 0 2000 800]", False),
        (b"/CropBox [0 799.5 600 2000]", False),
        (b"/CropBox [0 0 600 0.5]", False),
        (b"/CropBox [0 0 0 0]", True),
        (b"/CropBox [-100 -100 2000 2000]", True),
        (b"/CropBox [599 799 2000 2000]", True),
    ],
)
def test_a_page_without_visible_area_is_refused_as_the_preview_refuses_it(
    workshop: Workshop, box: bytes, is_shown: bool
) -> None:
    data = with_page(box, 1, 1)
    if is_shown:
        assert workshop.inspect(data).pages == 3
        assert (
            outcome(lambda: workshop.check_renders(data, 3)) == outcome(lambda: workshop.preview(data, 2, 8)) == "done"
        )
        return
    with pytest.raises(PdfError) as caught:
        workshop.inspect(data)
    assert (caught.value.code, caught.value.values) == ("unrenderable", {"page": 2})


def test_errors_bring_their_values(workshop: Workshop) -> None:
    with pytest.raises(PdfError) as caught:
        workshop.prepare(samples.simple_pdf(), [Place("far_out", "p", 1, 900_000, 0, 200_000, 1)])
    assert caught.value.values == {"field": "far_out"}


@pytest.mark.parametrize("image_format", ["jpeg", "webp", "png"])
def test_previews_have_the_width_asked_for(workshop: Workshop, image_format: str) -> None:
    import io

    from PIL import Image

    picture = Image.open(io.BytesIO(workshop.preview(samples.simple_pdf(), 1, 595, image_format)))  # type: ignore[arg-type]  # a word that came as a parameter
    assert picture.size == (595, 842)
    assert picture.format == image_format.upper()


def test_a_preview_never_exceeds_its_pixels(workshop: Workshop) -> None:
    import io

    from PIL import Image

    tall = samples.simple_pdf(media=(0, 0, 100, 10_000))
    picture = Image.open(io.BytesIO(workshop.preview(tall, 1, 5_000)))
    assert picture.width * picture.height <= 25_500_000


def test_a_child_killed_at_work_costs_that_job_alone(own: Workshop) -> None:
    """The job under way fails; the next one finds a new child."""
    own.inspect(samples.simple_pdf())
    (victim,) = own.children()
    bomb = samples.form_recursion()
    codes: list[str] = []
    worker = threading.Thread(target=lambda: codes.append(outcome(lambda: own.preview(bomb, 1, 500))))
    worker.start()
    os.kill(victim, signal.SIGKILL)
    worker.join()
    assert codes[0] in ("damaged", "done", "too-heavy", "too-slow")
    assert own.inspect(samples.simple_pdf(2)).pages == 2
    assert victim not in own.children()
    assert is_gone(victim)


def test_a_child_that_was_killed_while_idle_is_not_noticed(own: Workshop) -> None:
    own.inspect(samples.simple_pdf())
    os.kill(own.children()[0], signal.SIGKILL)
    results = [outcome(lambda: own.inspect(samples.simple_pdf())) for _ in range(2)]
    assert results[-1] == "done"


def test_other_people_are_served_while_a_bomb_goes_off() -> None:
    with Workshop(children=2, limits=Limits(job_s=3.0)) as opened:
        data, bomb = samples.simple_pdf(), samples.form_recursion()
        opened.inspect(data)
        with ThreadPoolExecutor(2) as pool:
            trouble = pool.submit(outcome, lambda: opened.preview(bomb, 1, 500))
            served = 0
            while not trouble.done() or served < 5:
                start = time.monotonic()
                opened.inspect(data)
                served += 1
                assert time.monotonic() - start < 2.0
        assert trouble.result() in ("too-slow", "too-heavy", "damaged")


def test_as_many_bombs_as_children_keep_nobody_waiting() -> None:
    with Workshop(children=2) as opened:
        data, bomb = samples.simple_pdf(), samples.slow_fills()
        opened.inspect(data)
        with ThreadPoolExecutor(2) as pool:
            bombs = [pool.submit(outcome, lambda: opened.preview(bomb, 1, 900)) for _ in range(2)]
            until_idle(opened, 2)
            for _ in range(20):
                assert opened.inspect(data).pages == 1
            assert not any(one.done() for one in bombs)
        assert [one.result() for one in bombs] == ["too-slow"] * 2
        assert opened.inspect(data).pages == 1
        assert not idle(opened)


def idle(workshop: Workshop) -> list[int]:
    """The children that give way to everybody else."""
    found = []
    for pid in workshop.children():
        with contextlib.suppress(ProcessLookupError):
            if os.sched_getscheduler(pid) == os.SCHED_IDLE:
                found.append(pid)
    return found


def until_idle(workshop: Workshop, count: int, within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while len(idle(workshop)) < count:
        assert time.monotonic() < end, "they do not give way"
        os.sched_yield()


def test_who_worked_long_is_let_go_and_another_works_on() -> None:
    with Workshop(children=1) as opened:
        long = samples.slow_fills(5)
        for _ in range(3):
            assert outcome(lambda: opened.preview(long, 1, 900)) == "done"
            assert opened.inspect(samples.simple_pdf()).pages == 1
        end = time.monotonic() + 20
        while len(opened.children()) > 1 or idle(opened):
            opened.inspect(samples.simple_pdf())
            assert time.monotonic() < end, "they are still there"


def test_more_bombs_than_may_be_aside_wait_for_their_turn_like_anybody() -> None:
    """There are never more processes than twice the children, whatever is sent."""
    with Workshop(children=1, limits=Limits(job_s=1.0)) as opened:
        bomb = samples.slow_fills()
        most = 0
        with ThreadPoolExecutor(4) as pool:
            bombs = [pool.submit(outcome, lambda: opened.preview(bomb, 1, 900)) for _ in range(4)]
            while not all(one.done() for one in bombs):
                most = max(most, len(opened.children()))
        assert [one.result() for one in bombs] == ["too-slow"] * 4
        assert most == 2
        assert opened.inspect(samples.simple_pdf()).pages == 1


def test_after_a_crash_the_next_children_have_another_mother() -> None:
    """What somebody learned of one child's memory by making it crash is worth nothing for the next."""
    before = set(processes_of(os.getpid()))
    with Workshop(children=1, limits=Limits(job_s=5.0)) as opened:
        opened.inspect(samples.simple_pdf())
        (mother,) = set(processes_of(os.getpid())) - before
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(outcome, lambda: opened.preview(samples.slow_fills(), 1, 900))
            until_idle(opened, 1)
            (victim,) = idle(opened)
            os.kill(victim, signal.SIGSEGV)
            assert job.result() == "damaged"
        assert opened.inspect(samples.simple_pdf()).pages == 1
        until_new = time.monotonic() + 60
        while mother in processes_of(os.getpid()):
            opened.inspect(samples.simple_pdf())
            assert time.monotonic() < until_new
        assert len(set(processes_of(os.getpid())) - before) == 1


def test_many_threads_share_a_few_children(workshop: Workshop) -> None:
    documents = [samples.simple_pdf(pages) for pages in range(1, 9)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda index: workshop.inspect(documents[index % 8]).pages, range(96)))
    assert found == [index % 8 + 1 for index in range(96)]


def test_nothing_is_left_after_close() -> None:
    before = set(processes_of(os.getpid()))
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    opened = Workshop(children=2)
    opened.inspect(samples.simple_pdf())
    children = opened.children()
    assert children
    opened.close()
    opened.close()
    assert set(processes_of(os.getpid())) == before
    assert all(is_gone(pid) for pid in children)
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
    with pytest.raises(WorkshopClosedError):
        opened.inspect(samples.simple_pdf())


def test_a_workshop_can_be_closed_before_it_is_warm() -> None:
    opened = Workshop(children=2)
    opened.close()
    assert opened.children() == ()


def test_mothers_that_are_not_ready_in_time_do_not_pile_up() -> None:
    others = set(processes_of(os.getpid()))
    with Workshop(children=1, limits=Limits(start_s=0.001)) as opened:
        seen: set[int] = set()
        end = time.monotonic() + 20
        while len(seen) < 4 and time.monotonic() < end:
            there = set(processes_of(os.getpid())) - others
            seen |= there
            assert len(there) <= 2
            assert not opened.await_warm(0.02)
        assert len(seen) >= 4
    assert set(processes_of(os.getpid())) <= others


def test_close_ends_the_jobs_under_way(own: Workshop) -> None:
    own.inspect(samples.simple_pdf())
    bomb = samples.form_recursion()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            own.preview(bomb, 1, 500)
        except (PdfError, WorkshopClosedError) as error:
            failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    own.close()
    worker.join(5)
    assert not worker.is_alive()
    assert failures


PARENT = """
import sys, threading
sys.path.insert(0, {root!r})
from pdfops.sandbox import Workshop
from tests.pdfops import samples
opened = Workshop(children=2)
opened.inspect(samples.simple_pdf())
if {busy}:
    threading.Thread(target=lambda: opened.preview(samples.form_recursion(), 1, 500), daemon=True).start()
print(*opened.children(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("is_busy", [False, True])
def test_children_die_with_a_parent_that_was_killed(is_busy: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(root=str(ROOT), busy=is_busy)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert children
        parent.kill()
        parent.wait()
    assert all(is_gone(pid) for pid in children)


def test_a_child_has_no_environment_no_descriptors_and_can_open_nothing(own: Workshop) -> None:
    own.inspect(samples.simple_pdf())
    (pid,) = own.children()
    folder = Path(f"/proc/{pid}")
    assert (folder / "environ").read_bytes() == b""
    assert sorted(int(entry.name) for entry in (folder / "fd").iterdir()) == [0, 1, 2]
    limits = {line[:25].strip(): line[26:].split()[:2] for line in (folder / "limits").read_text().splitlines()}
    assert limits["Max open files"] == ["3", "3"]
    assert limits["Max file size"] == ["0", "0"]
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max address space"] == [str(child.ADDRESS_SPACE_BYTES)] * 2
    status = (folder / "status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status


SHUT_IN = """
import os, sys
sys.path.insert(0, {root!r})
import socket
from pdfops import child
child.shut_in(os.getppid())
child.close_the_door()
def attempt(act):
    try:
        act()
    except OSError:
        return "refused"
    return "allowed"
print(attempt(lambda: open("/etc/hostname")), attempt(socket.socket), attempt(lambda: os.pipe()))
"""


def test_what_a_child_gave_up_is_gone() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SHUT_IN.format(root=str(ROOT))], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["refused"] * 3


def test_no_key_enters_a_child() -> None:
    """What is sent for a seal holds the document, the ink and the order; the signer stays here."""
    header = {"job": "draw_up", "order": {}, "cms_bytes": 1}
    assert set(header) == {"job", "order", "cms_bytes"}
    sent = b"".join(wire.pack({"order": wire.order_to_json(SealOrder(("f",), b"", "n", "r", samples.SIGNED_AT))}))
    assert b"PRIVATE" not in sent


@pytest.mark.parametrize(
    "answer",
    [
        {"value": []},
        {"value": {}},
        {"value": {"page_sizes_pt": [[1]], "signers": [], "sha256": "", "size_bytes": 1, "has_form": True}},
        {"value": {"page_sizes_pt": [["a", 1]], "signers": [], "sha256": "", "size_bytes": 1, "has_form": True}},
        {"value": {"page_sizes_pt": [], "signers": [], "sha256": "", "size_bytes": True, "has_form": True}},
    ],
)
def test_an_answer_of_another_shape_is_no_answer(answer: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, IndexError, TypeError)):
        wire.inspection_from_json(answer["value"])  # type: ignore[arg-type]  # a word that came as a parameter


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"blobs": [-1]}', b'{"blobs": [1e9]}', b'{"blobs": [true]}'])
def test_a_header_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error is one
        wire.parse_header(body)


def test_errors_a_child_may_not_invent_are_damage() -> None:
    assert wire.error_from_json({"error": "all-is-well", "values": {}}).code == "damaged"
    assert wire.error_from_json({"error": "certified", "values": {"permission": 1, "x": [1]}}).values == {
        "permission": 1
    }


def test_whatever_a_parser_raises_becomes_a_code() -> None:
    assert child.answer_to({"job": "inspect"}, [b"%PDF-1.7 startxref 1"])[0]["error"] == "damaged"
    assert child.answer_to({"job": "no such job"}, [])[0]["error"] == "damaged"
