"""Finding the operator's node types: a module by name or by path, and what is decorated in it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from flowmaestro.nodes.decorators import function_declaration, node_declaration
from flowmaestro.nodes.errors import NodeModuleError


def load_module(name_or_path: str) -> ModuleType:
    """Import a module given as ``package.module`` or as the path of a ``.py`` file.

    A name is looked up in the current folder too, as ``python -m`` does.

    :raises NodeModuleError: if there is none, or if it fails while it is imported; the cause is
        kept.
    """
    is_path = name_or_path.endswith(".py") or "/" in name_or_path or "\\" in name_or_path
    try:
        return _load_path(name_or_path) if is_path else _load_name(name_or_path)
    except NodeModuleError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if not is_path and (name_or_path == missing or name_or_path.startswith(f"{missing}.")):
            reason = "there is no such module (give a `.py` file's path, or a name that "
            raise NodeModuleError(name_or_path, reason + "`import` finds)") from error
        raise NodeModuleError(name_or_path, f"it needs the module {missing!r}") from error
    except (Exception, SystemExit) as error:
        # The module is somebody else's program: whatever it raises is its failure to load.
        raise NodeModuleError(name_or_path, f"{type(error).__name__}: {error}") from error


def decorated_functions(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """Yield each function of *module* that is decorated, once, in the module's order.

    Functions that it imported from elsewhere count: a package may gather the types of its parts.
    """
    seen: set[int] = set()
    for value in list(vars(module).values()):
        if id(value) in seen or isinstance(value, ModuleType):
            continue
        seen.add(id(value))
        if node_declaration(value) is not None or function_declaration(value) is not None:
            yield value


def _load_name(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except (TypeError, ValueError) as error:  # "", ".relative"
        raise NodeModuleError(name, "it is no module's name") from error


def _load_path(path: str) -> ModuleType:
    file = Path(path).resolve()
    if not file.is_file():
        raise NodeModuleError(path, "there is no such file")
    # Two files of one name must not replace each other.
    digest = hashlib.sha256(str(file).encode()).hexdigest()[:12]
    name = f"flowmaestro_user_nodes_{digest}_{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NodeModuleError(path, "it is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Before it runs: dataclasses and type hints look their module up.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
