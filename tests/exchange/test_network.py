"""The network of a model in formats of other tools, read back."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import fromstring

import networkx as nx
import pytest
from culture import culture_model

import pathsim as ps
from pathsim.exchange.network import SBGN, network
from pathsim.model.wiring import Effect, modifiers

TEXT = """model m
  species A, B, E; A = 1; B = 0; E = 1; stop = 0; gain = 2; total := A + B;
  J1: A -> B; gain*E*A/(1 + stop);
  J2: B -> ; total*B;
  J3: -> E; 0.1;
end
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ps.Model:
    path = tmp_path_factory.mktemp("network") / "m.ant"
    path.write_text(TEXT)
    return ps.load_model(path)


def test_cytoscape_reads_the_same_graph(model: ps.Model) -> None:
    read = nx.cytoscape_graph(json.loads(ps.exchange.cyjs_text(model)))
    own = network(model)
    assert set(read.nodes) == set(own.nodes)
    effects = nx.get_edge_attributes(read, "interaction")
    assert effects == {(a, b): data["effect"] for a, b, data in own.edges(data=True)}
    assert read.is_directed()


def test_graphml_reads_the_same_graph(tmp_path: Path) -> None:
    model = culture_model()
    (tmp_path / "n.graphml").write_text(ps.exchange.graphml_text(model))
    assert set(nx.read_graphml(tmp_path / "n.graphml").edges) == set(network(model).edges)


def test_what_changes_a_rate_besides_its_reactants(model: ps.Model) -> None:
    found = modifiers(model)
    assert found["J1"] == {"E": Effect.ACTIVATES}
    assert found["J2"] == {"A": Effect.ACTIVATES}
    assert found["J3"] == {}


def test_sbgn_has_every_species_and_reaction_in_order(model: ps.Model) -> None:
    """The rules of the SBGN-ML schema that the maps of models can break."""
    space = f"{{{SBGN}}}"
    (chart,) = fromstring(ps.exchange.sbgn_text(model))
    assert (chart.tag, chart.get("language")) == (f"{space}map", "process description")
    tags = [item.tag.removeprefix(space) for item in chart]
    assert tags == sorted(tags, reverse=True)  # glyphs before arcs
    glyphs = {item.get("id"): item for item in chart.findall(f"{space}glyph")}
    assert Counter(item.get("class") for item in glyphs.values()) == {
        "macromolecule": 3,
        "process": 3,
        "source and sink": 2,
    }
    ids = [item.get("id") for item in chart.iter() if item.get("id")]
    assert len(ids) == len(set(ids))
    for item in glyphs.values():
        inside = [child.tag.removeprefix(space) for child in item]
        assert inside in (["label", "bbox"], ["bbox", "port", "port"], ["bbox"])
    arcs = [(item.get("class"), item.get("source"), item.get("target")) for item in chart.findall(f"{space}arc")]
    assert {place for _, *ends in arcs for place in ends} <= set(ids)
    assert ("consumption", "A", "process_J1.in") in arcs
    assert ("production", "process_J1.out", "B") in arcs
    assert ("stimulation", "E", "process_J1") in arcs
    assert ps.exchange.sbgn_text(model) == ps.exchange.sbgn_text(model)
