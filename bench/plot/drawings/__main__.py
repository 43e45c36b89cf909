"""Draw all of them: into impls/pictures, and the ladder of README.md into results."""

from pathlib import Path

from bench.plot import style
from bench.plot.drawings import ladder, mini_batch, one_step

ROOT = Path(__file__).resolve().parents[3]
FIGURES = {
    ROOT / "impls" / "pictures": {"mini-batch": mini_batch.draw, "one-step": one_step.draw},
    ROOT / "results": {
        "ladder": lambda: ladder.draw(ROOT / "results"),
        "ladder-dark": lambda: ladder.draw(ROOT / "results", dark=True),
    },
}

if __name__ == "__main__":
    for directory, figures in FIGURES.items():
        directory.mkdir(exist_ok=True)
        with style.in_use():
            for file in style.save(((name, draw()) for name, draw in figures.items()), directory):
                print(file.relative_to(ROOT))
