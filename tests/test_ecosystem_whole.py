"""No cell of the tables is without a test: each row is one whose probe is shown to turn."""

import test_ecosystem_probes_asgi
import test_ecosystem_probes_versions
import test_ecosystem_probes_wsgi

from workbench.ecosystem.features import features_of


def test_every_row_of_both_tables_has_a_probe_that_is_shown_to_turn():
    modules = (
        test_ecosystem_probes_wsgi, test_ecosystem_probes_asgi, test_ecosystem_probes_versions,
    )  # fmt: skip
    turned = {name for module in modules for name in module.ROWS}
    tables = {feature.name for side in ("wsgi", "asgi") for feature in features_of(side)}
    assert tables - turned == set()
