"""★★ choose-for-a-load: from needs, by what was probed, to a server and the way to start it.

``cells`` are those of a feature table, in its order: ``server``, ``feature``, ``said`` (for people)
and ``good``: True, False, or None: nobody can tell. ``needs`` are features, each with the ways of
starting that offer it. ``ways`` are those that a server has, the plainest first; ``costs`` are µs
of CPU for a request, where measured.

Write ``choose``: return pairs (server, way), the best first. A choice meets all needs in one way of
starting, the first that will do. The cheapest comes first. Who costs at most a tenth more than the
cheapest left is level with it: take that group, in the table's order, then begin again with the
rest (X 100, C 115, A 105: X, A, C). Last come those not measured.

The check then starts your first choice.
"""

from workbench.ecosystem.features import Cell


def choose(
    cells: list[Cell],
    needs: dict[str, tuple[str, ...]],
    ways: dict[str, tuple[str, ...]],
    costs: dict[str, float],
) -> list[tuple[str, str]]:
    """Return who meets all needs, and how to start it, the best first."""
    ### BEGIN SOLUTION
    found = {(cell.server, cell.feature) for cell in cells if cell.good is True}
    chosen = {}
    for server in dict.fromkeys(cell.server for cell in cells):
        way = next((way for way in ways[server] if all(way in each for each in needs.values())), "")
        if way and all((server, feature) in found for feature in needs):
            chosen[server] = way
    left = [server for server in chosen if server in costs]
    ranked = []
    while left:
        cheapest = min(costs[server] for server in left)
        level = [server for server in left if costs[server] <= 1.1 * cheapest]
        ranked += level
        left = [server for server in left if server not in level]
    ranked += [server for server in chosen if server not in costs]
    return [(server, chosen[server]) for server in ranked]
    ### END SOLUTION
