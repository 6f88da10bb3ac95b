"""All GPUs compute, or the devices that a person names; one that isn't there is told of."""

import pytest
from pydantic import ValidationError

from image_search.clip import DualEncoder
from image_search.devices import choose_devices
from image_search.hardware import devices_here
from image_search.settings import Settings, StartupError

TWO_GPUS = ["cuda:0", "cuda:1", "cpu"]
MAC = ["mps", "cpu"]


@pytest.mark.parametrize(
    ("asked", "here", "chosen"),
    [
        ([], TWO_GPUS, ["cuda:0", "cuda:1"]),
        ([], MAC, ["mps"]),
        ([], ["cpu"], ["cpu"]),
        (["cuda"], TWO_GPUS, ["cuda:0", "cuda:1"]),
        (["cuda:1"], TWO_GPUS, ["cuda:1"]),
        (["cuda:1", "cuda:0"], TWO_GPUS, ["cuda:1", "cuda:0"]),
        (["cuda:1", "cuda", "cuda:1"], TWO_GPUS, ["cuda:1", "cuda:0"]),
        (["cpu"], MAC, ["cpu"]),
    ],
)
def test_devices_are_the_best_or_those_asked_for(
    asked: list[str], here: list[str], chosen: list[str]
) -> None:
    """All CUDA devices unless told; else those named, once each, the first for words."""
    assert choose_devices(asked, here) == tuple(chosen)


@pytest.mark.parametrize("asked", ["cuda:2", "mps"])
def test_a_device_that_is_not_here_is_told_of(asked: str) -> None:
    """What is wrong, and what there is to choose from."""
    with pytest.raises(
        StartupError, match=f"finds no {asked} .*cuda:0, cuda:1, cpu"
    ):
        choose_devices(["cuda:0", asked], TWO_GPUS)
    with pytest.raises(StartupError, match="finds no cuda on"):
        choose_devices(["cuda"], MAC)


def test_the_setting_is_a_list_of_devices() -> None:
    """Devices stand between commas; what is none by its name is refused at once."""
    assert Settings().clip_devices == ()
    settings = Settings(clip_devices="cuda:0, cuda:1")
    assert settings.clip_devices == ("cuda:0", "cuda:1")
    with pytest.raises(ValidationError):
        Settings(clip_devices="gpu")


def test_an_encoder_has_the_devices_of_the_setting() -> None:
    """All of this machine that are best, or those named, and one alone for each worker."""
    here = devices_here()
    assert here[-1] == "cpu"
    settings = Settings(clip_devices="cpu")
    encoder = DualEncoder.from_settings(settings)
    assert encoder.devices == ("cpu",)
    assert encoder.hardware()[0] == "cpu"
    asked = DualEncoder("any", devices_asked=("cuda:7",))
    assert asked.on("cpu").devices == ("cpu",)
    if "cuda:7" not in here:
        with pytest.raises(StartupError, match=r"CLIP_DEVICES=cuda:7.*cpu"):
            _ = asked.devices
