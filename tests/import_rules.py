"""The rules of imports and the reader that checks them, for `tests/unit/test_imports.py`.

It reads the source and runs none of it. What a module imports counts wherever it stands: at the top,
inside a function, under `TYPE_CHECKING`, or as a literal name given to `importlib.import_module`. It does
not see names that are put together at run time.
"""

import ast
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

__all__ = ["Import", "Rule", "circles", "imports_of", "modules_of", "violations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the modules of one package may import beside themselves and the standard library."""

    project: frozenset[str] = frozenset()
    third_party: frozenset[str] = frozenset()
    denied: frozenset[str] = field(default=frozenset())
    """Dotted names, the standard library's included, that are refused whatever else allows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One name that one module imports: `target` is a module's dotted name, or that with the name taken."""

    module: str
    path: Path
    line: int
    target: str

    @property
    def top(self) -> str:
        """The top-level module that is imported."""
        return self.target.partition(".")[0]


def modules_of(root: Path, packages: Collection[str]) -> dict[str, Path]:
    """The dotted name of every module of the packages under `root`, with its file."""
    files = (path for package in packages for path in sorted((root / package).rglob("*.py")))
    return {_module_name(path.relative_to(root)): path for path in files}


def imports_of(module: str, path: Path) -> list[Import]:
    """Everything that one module imports, in the order of its lines."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return [
        Import(module=module, path=path, line=line, target=target)
        for node in ast.walk(tree)
        for line, target in _targets(node, package)
    ]


def violations(modules: Mapping[str, Path], rules: Mapping[str, Rule]) -> list[str]:
    """One sentence for each import that the rules refuse.

    `rules` maps dotted names to rules; a module obeys the rule of the longest name that is it or holds it,
    so that a single module can have a stricter rule than its package.
    """
    projects = {name.partition(".")[0] for name in rules}
    return [
        f"{found.path}:{found.line}: {found.module} may not import {found.target}: {reason}"
        for module, path in modules.items()
        for found in imports_of(module, path)
        if (reason := _refusal(found, *_rule_for(module, rules), projects))
    ]


def circles(modules: Mapping[str, Path], *, depth: int | None = None) -> list[str]:
    """One circle of imports among the modules as `a -> b -> a`, or nothing.

    With a `depth` modules count as the packages that they are in: of a name, that many parts. Importing
    `package.module` runs `package/__init__.py` too; that alone is no circle, or no `__init__` could gather names.
    """
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        place = _cut(module, depth)
        targets = (_cut(_known(found.target, modules), depth) for found in imports_of(module, path))
        graph.setdefault(place, set()).update(set(targets) - {place, ""})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _targets(node: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Import(names=names):
            yield from ((node.lineno, alias.name) for alias in names)
        case ast.ImportFrom(module=name, names=names, level=level):
            base = _base(package, name, level)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in names)
        case ast.Call(
            func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            yield node.lineno, _base(package, name.lstrip("."), len(name) - len(name.lstrip(".")))


def _base(package: str, name: str | None, level: int) -> str:
    if not level:
        return name or ""
    parents = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parents, *([name] if name else [])])


def _rule_for(module: str, rules: Mapping[str, Rule]) -> tuple[str, Rule]:
    name = max((name for name in rules if f"{module}.".startswith(f"{name}.")), key=len)
    return name, rules[name]


def _refusal(found: Import, owner: str, rule: Rule, projects: Collection[str]) -> str:
    denied = next((name for name in rule.denied if f"{found.target}.".startswith(f"{name}.")), None)
    if denied:
        return f"{owner} is to do without {denied}; take what it gives as an argument"
    if found.top in projects:
        allowed = rule.project | ({owner} if "." not in owner else set())
        return "" if found.top in allowed else f"{owner} may import of this project only {_listed(allowed)}"
    if found.top in sys.stdlib_module_names or found.top in rule.third_party:
        return ""
    return f"beside the standard library {owner} may import only {_listed(rule.third_party)}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _cut(module: str, depth: int | None) -> str:
    return ".".join(module.split(".")[:depth])


def _known(target: str, modules: Mapping[str, Path]) -> str:
    """The module that an import means: the name itself, or the module that the last name is taken from."""
    parent = target.rpartition(".")[0]
    return target if target in modules else parent if parent in modules else ""
