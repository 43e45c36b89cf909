"""The page at several sizes, light, dark and printed: nothing overflows, no texts overlap, and every text has enough contrast."""

from pathlib import Path

import pytest

from bench.__main__ import main
from tests.bench.report.browsing import choose, drawn, until
from tests.support.rows import written

TRAINERS = [
    *("loop", "matrix", "matrix_tuned", "compiled", "gpu", "gpu_tuned", "gpu_graph", "gpu_fused", "gpu_lookahead", "webgpu", "mpi"),
    *("jax_cpu", "jax_gpu", "torch_cpu", "somebodys_trainer_whose_name_is_as_long_as_sixty_characters"),
]
WORKLOAD = "a-workload-whose-name-is-as-long-as-sixty-characters-at-most"
MACHINES = 10
PROBLEMS = Path(__file__).with_name("layout_problems.js").read_text(encoding="utf-8")
NONE = {"overlaps": [], "faint": [], "too_wide": 0}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The page of ten machines and 15 trainers, with long names, disturbed cases, several ranks and commits, and a missing trainer."""
    directory = tmp_path_factory.mktemp("hostile")
    for number in range(MACHINES):
        machine = f"machine-{number}-whose-name-is-as-long-as-sixty-characters-at-most"[:60]
        times = {("nielsen", trainer): (1 + number / 10) / (1 + place**1.7) for place, trainer in enumerate(TRAINERS)}
        if number == 3:
            del times["nielsen", "matrix"]
        grid = {(f"h{w}-b{b}", name): 0.01 * (1 + i) * b ** (0.3 * i - 0.5)
                for w in (30, 100) for b in (1, 10, 100, 1000, 10000) for i, name in enumerate(TRAINERS[-4:])}  # fmt: skip
        renamed = {(WORKLOAD, trainer): seconds for (_, trainer), seconds in times.items()}
        written(directory / f"{number}.csv", times | grid, machine=machine, run_id=f"r{number}")
        own = {"layers": "784-30-10", "batch_size": 10, "learning_rate": 3.0}
        written(directory / f"{number}_long.csv", {("nielsen", t): s for (_, t), s in renamed.items()}, machine=machine,
                run_id=f"r{number}", workload=WORKLOAD, **own)  # fmt: skip
        written(
            directory / f"{number}_busy.csv",
            {("wide", t): s for (_, t), s in times.items()},
            machine=machine,
            run_id=f"b{number}",
            load=0.4,
        )
        written(directory / f"{number}_training.csv", {("nielsen", TRAINERS[number]): [0.1 + number / 50] * 9}, machine=machine,
                run_id=f"t{number}", kind="training")  # fmt: skip
    for ranks in (1, 2, 4, 8):
        written(directory / f"ranks{ranks}.csv", {("nielsen", "mpi"): ranks**-0.7}, machine=machine, run_id="scale", threads=1, ranks=ranks)
    for number in range(9):
        times = {("nielsen", trainer): 1 / (1 + number / 5) for trainer in ("loop", "matrix")}
        written(directory / f"commit{number}.csv", times, machine="other", run_id=f"c{number}", commit=f"c0ffee{number}",
                started_at=f"2026-02-0{number + 1}T00:00:00+00:00")  # fmt: skip
    assert main(["report", str(directory), "-o", str(directory / "out" / "report.html")]) == 0
    return directory / "out" / "report.html"


@pytest.fixture(params=[390, 1280, 1920])
def opened(request, chromium, hostile):
    """Chromium with the page at a width."""
    yield from _at(request.param, "", chromium, hostile)


@pytest.fixture
def phone(chromium, hostile):
    """Chromium with the page on a phone."""
    yield from _at(390, "", chromium, hostile)


@pytest.fixture
def printed(chromium, hostile):
    """Chromium with the page as printed on A4, landscape."""
    yield from _at(1030, "print", chromium, hostile)


def _at(width, medium, chromium, page):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": []})
    chromium.get(page.as_uri())
    until(chromium, lambda: chromium.execute_script("return document.body.dataset.drawn"))
    nielsen = chromium.execute_script(
        "return [...document.querySelectorAll('#job option')].find(job => job.text.startsWith('nielsen:')).value"
    )
    chromium.execute_script("const job = document.getElementById('job'); job.value = arguments[0]; job.onchange()", nielsen)
    drawn(chromium, f"{nielsen}/")
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_nothing_overflows_overlaps_or_is_faint(opened):
    hidden = "return [...document.querySelectorAll('main section[hidden] h2')].map(heading => heading.textContent)"
    assert opened.execute_script(hidden) == [], "there is something to check in each section"
    for scheme in ("light", "dark"):
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        assert opened.execute_script(PROBLEMS) == NONE


def test_all_workloads_of_a_machine_fit_on_a_phone(phone):
    choose(phone, "job", "all workloads")
    choose(phone, "machine", phone.execute_script("return document.querySelectorAll('#machine option')[1].text"))
    drawn(phone, "/0")
    assert phone.execute_script(PROBLEMS) == NONE


def test_nothing_overflows_overlaps_or_is_faint_on_paper(printed):
    assert printed.execute_script(PROBLEMS) == NONE
    cut = "box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight"
    boxes = f"return [...document.querySelectorAll('.scroll')].filter(box => {cut}).map(box => box.id)"
    assert printed.execute_script(boxes) == [], "paper does not scroll"
