"""Checks of one node's config: its model, its templates, and what these may refer to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flowmaestro.workflow.catalog import BODY, NodeTypeSpec
from flowmaestro.workflow.expressions import (
    Template,
    TemplateSyntaxError,
    compile_bare,
    compile_template,
    has_template,
)
from flowmaestro.workflow.limits import Limits
from flowmaestro.workflow.problems import Path, Problems, shorten
from flowmaestro.workflow.validation.model_check import check_model
from flowmaestro.workflow.validation.reference_check import RESERVED_NAMES, Viewpoint

OUTPUT_VARIABLE = "output_variable"
WORKFLOW_ID = "workflow_id"
_WORDS = frozenset(
    {"and", "else", "false", "False", "if", "in", "is", "none", "None", "not", "or"}
    | {"true", "True"}
)


class ConfigChecker:
    """Checks the configs of one definition's nodes, those of its loops' bodies included.

    *known_workflows* are the ids that a ``workflow`` node may name; ``None``: not known here.
    """

    def __init__(
        self, limits: Limits, known_workflows: Collection[str] | None, problems: Problems
    ) -> None:
        self._limits = limits
        self._known_workflows = known_workflows
        self._problems = problems
        self._expressions = 0
        self._expression_characters = 0

    def check(
        self, config: dict[str, Any], spec: NodeTypeSpec, viewpoint: Viewpoint, path: Path
    ) -> None:
        """Check *config*, whose known keys are in snake_case; *viewpoint* is its node."""
        literal = {OUTPUT_VARIABLE, *spec.literal_fields}
        if spec.container == "workflow":
            literal.add(WORKFLOW_ID)
            self._check_workflow(config.get(WORKFLOW_ID), (*path, WORKFLOW_ID))
        check_model(
            config, spec.config_model, path, self._problems, rendered_later=_is_rendered_later
        )
        for field, value in config.items():
            place = (*path, field)
            if field == BODY and spec.container == "loop":
                continue
            if field in literal:
                self._check_literal(value, place)
            elif field in spec.expression_fields and isinstance(value, str):
                self._check_text(value, spec, viewpoint, place, bare=True)
            else:
                self._check_templates(value, spec, viewpoint, place)
        self._check_variable(config.get(OUTPUT_VARIABLE), (*path, OUTPUT_VARIABLE))

    def check_untyped(self, config: dict[str, Any], viewpoint: Viewpoint, path: Path) -> None:
        """Check the templates of a config whose node type is not known. In what may be a loop's
        body they may refer to nodes that are not known here."""
        for field, value in config.items():
            where = None if field == BODY else viewpoint
            self._check_templates(value, None, where, (*path, field))

    def _check_templates(
        self, value: Any, spec: NodeTypeSpec | None, viewpoint: Viewpoint | None, path: Path
    ) -> None:
        if isinstance(value, str):
            if has_template(value):
                self._check_text(value, spec, viewpoint, path)
        elif isinstance(value, dict):
            for key, item in value.items():
                self._check_templates(item, spec, viewpoint, (*path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._check_templates(item, spec, viewpoint, (*path, index))

    def _check_text(
        self,
        text: str,
        spec: NodeTypeSpec | None,
        viewpoint: Viewpoint | None,
        path: Path,
        *,
        bare: bool = False,
    ) -> None:
        self._expressions += max(text.count("{{"), 1)
        if self._expressions > self._limits.max_expressions:
            message = f"There are more than {self._limits.max_expressions:,} expressions."
            self._problems.add((), "limit", message)
            return
        most = self._limits.max_expression_characters
        if self._expression_characters > most:
            message = f"The expressions have more than {most:,} characters together."
            self._problems.add((), "limit", message)
            return
        try:
            template = compile_bare(text) if bare else compile_template(text)
        except TemplateSyntaxError as error:
            where = f" (line {error.line}, column {error.column})" if "\n" in text else ""
            within = f" In '{shorten(error.expression)}'{where}." if error.expression else ""
            self._problems.add(path, "template", f"{error.message}{within}")
            self._expression_characters += min(len(text), 10_000)
            return
        self._expression_characters += template.expression_characters
        if viewpoint is not None:
            viewpoint.check(template, path, self._problems)
        if spec is not None and template.uses_secrets:
            self._check_secrets(template, spec, path)

    def _check_secrets(self, template: Template, spec: NodeTypeSpec, path: Path) -> None:
        if not spec.allows_secrets:
            self._problems.add(
                path,
                "secret",
                f"A node of type '{spec.name}' records what it is given, so it may not use "
                "'secrets': use the secret where it is needed.",
            )
        elif ("secrets", None) in template.members:
            self._problems.add(
                path, "secret", "A secret is named where it is used, such as 'secrets.API_KEY'."
            )

    def _check_literal(self, value: Any, path: Path) -> None:
        if isinstance(value, str) and has_template(value):
            self._problems.add(
                path,
                "template",
                f"'{path[-1]}' is read before the workflow runs, so it is no template.",
            )

    def _check_variable(self, value: Any, path: Path) -> None:
        if not isinstance(value, str) or has_template(value):
            return
        if not value.isidentifier() or value in _WORDS:
            self._problems.add(
                path,
                "invalid_value",
                f"'{shorten(value)}' is no variable name: letters, digits and '_', not beginning "
                "with a digit.",
            )
        elif value in RESERVED_NAMES:
            self._problems.add(
                path, "invalid_value", f"'{value}' has a meaning of its own: take another name."
            )

    def _check_workflow(self, value: Any, path: Path) -> None:
        known = self._known_workflows
        if known is None or not isinstance(value, str) or value in known or has_template(value):
            return
        self._problems.add(
            path,
            "unknown_workflow",
            f"There is no workflow '{shorten(value)}'.{self._problems.suggest(value, known)}",
        )


def _is_rendered_later(value: Any, inside: bool) -> bool:
    """Whether *value* is a template, or, if *inside*, holds one."""
    if isinstance(value, str):
        return has_template(value)
    if inside and isinstance(value, Mapping):
        return any(_is_rendered_later(item, True) for item in value.values())
    return (
        inside and isinstance(value, list) and any(_is_rendered_later(item, True) for item in value)
    )
