"""The notes of the page."""

from bench import records
from bench.report.figures import figures
from tests.support.rows import written


def test_the_page_names_software_adapters(tmp_path):
    software = {"accelerator": "llvmpipe", "accelerator_kind": "software", "accelerator_backend": "Vulkan"}
    written(tmp_path / "a.csv", {("nielsen", "webgpu"): 1.0}, machine="here", **software)
    data = figures(records.read(records.files([tmp_path])))
    assert "here: webgpu ran on llvmpipe, software, Vulkan; software is not a GPU" in data["notes"]
    assert data["cells"][0]["device"] == "cpu"  # with the roof of the processor
