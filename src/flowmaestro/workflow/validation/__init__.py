"""Validation: whether a document is a definition, and everything that is wrong with it at once.

Each part is checked as far as it can be by itself, so that one broken node does not hide what is
wrong with the others::

    json_values        it is JSON, within bounds
    normalisation      camelCase keys become snake_case
    model_check        each part has the fields that its model asks for
    definition_check   the whole, down into the bodies of loops
    config_check       configs and their templates
    reference_check    the nodes that templates refer to: they exist, and run before
    edge_check         ends of edges, and handles
    graph_check        cycles, unreachable nodes
"""

from flowmaestro.workflow.validation.definition_check import validate

__all__ = ["validate"]
