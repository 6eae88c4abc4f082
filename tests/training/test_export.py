"""An exported model gives the same logits in Hugging Face's `transformers`."""

from dataclasses import replace

import pytest
import torch
from test_train import RUN, make_corpus

from mixlaws.errors import DataError
from mixlaws.training.export import export_model, write_model
from mixlaws.training.model import Transformer
from mixlaws.training.train import train

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
SHAPE = {"num_layers": 2, "model_width": 64, "num_heads": 4, "sequence_length": 32}


def logits_of(folder, ids):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        return model.eval()(ids).logits


@pytest.mark.parametrize("layout", ["rope", "neox"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
def test_logits_are_equal_in_every_layout(tmp_path, layout, tied, scaled):
    run = replace(RUN, **SHAPE, layout=layout, tied_embeddings=tied, scale_logits=scaled)
    torch.manual_seed(0)
    model = Transformer(
        run.shape, vocabulary_size=100, sequence_length=32, tied=tied, scale_logits=scaled
    )
    for parameter in model.parameters():  # no gain at one and no bias at zero hides a mistake
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    write_model(model.state_dict(), run, tmp_path)
    ids = torch.randint(0, 100, (2, 32))
    ours = model(ids)
    assert ours.std() > 0.05
    torch.testing.assert_close(logits_of(tmp_path, ids), ours, atol=1e-5, rtol=1e-5)


def test_a_finished_proxy_is_exported_with_the_weights_that_were_measured(tmp_path):
    corpus = make_corpus()
    result = train(RUN, corpus, checkpoints=tmp_path / "run", keep_weights=True)
    export_model(tmp_path / "run", tmp_path / "model")
    windows = torch.from_numpy(corpus.validation["a"].tokens[:400].astype("int64"))
    starts = torch.linspace(0, 23, 8).round().long()[:, None] * 16
    batch = windows[starts + torch.arange(17)]
    logits = logits_of(tmp_path / "model", batch[:, :-1])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    final = [row["loss"] for row in result.losses if row["validation_domain"] == "a"][-1]
    assert loss.item() == pytest.approx(final, abs=1e-5)


def test_a_run_without_a_kept_state_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there are no weights in .* training.keep_weights"):
        export_model(tmp_path, tmp_path / "model")
