import ast

from cnnlib.core import errors
from cnnlib.core.paths import PROJECT_ROOT


def test_every_error_that_a_user_can_fix_is_drawn_below_its_kind() -> None:
    bases: dict[str, str] = {}
    for path in (PROJECT_ROOT / "cnnlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name):
                bases[node.name] = node.bases[0].id

    def line_of(name: str) -> list[str]:
        return [] if name == "CaptchaError" else [*line_of(bases[name]), name] if name in bases else [""]

    family = {name: line for name in bases if "" not in (line := line_of(name)) and name != "CaptchaError"}
    assert "WorkerLostError" in family
    assert _drawn(errors.__doc__ or "") == family


def _drawn(drawing: str) -> dict[str, list[str]]:
    """The names in the drawing, each with the way to it from the top."""
    found: dict[str, list[str]] = {}
    way: list[str] = []
    for line in drawing.splitlines():
        indent, branch, name = line.replace("\u2514", "\u251c").partition("\u251c\u2500\u2500 ")
        if branch:
            way = [*way[: len(indent) // 4], name.split()[0]]
            found[way[-1]] = way
    return found
