"""Devices and clusters: as people write them, and as drivers name them."""

import pytest

from pretrain.errors import ConfigError
from pretrain.hardware import HARDWARE, cluster, device_named, peak_of


@pytest.mark.parametrize(
    ("text", "devices", "name"),
    [
        ("384xA100-80G", 384, "A100 80 GB"),
        ("8 x h200", 8, "H200 SXM 141 GB"),
        ("16×V100-32G", 16, "V100 32 GB"),
        ("64", 64, "H100 SXM 80 GB"),
        ("A100", 4, "A100 80 GB"),
        ("cpu", 4, "two server cores, fp32"),
    ],
)
def test_a_cluster_is_read_as_people_write_it(text, devices, name):
    found = cluster(text, 4, "H100")
    assert (found.devices, found.device.name) == (devices, name)


@pytest.mark.parametrize("text", ["", "0xA100", "8xTPU", "x", "8x8", "8x", "3.5", "-1", "A100x8"])
def test_what_names_no_cluster_is_refused_with_what_does(text):
    with pytest.raises(ConfigError, match=r"take one of A100-40G, A100-80G, .* H100-80G|write 384xA100-80G"):
        cluster(text, 4, "H100")


@pytest.mark.parametrize(
    ("driver", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA A100-SXM4-40GB", 312e12),
        ("NVIDIA H200", 989.4e12),
        ("NVIDIA GeForce GTX 1650", None),
        ("NVIDIA RTX A1000 Laptop GPU", None),
    ],
)
def test_the_peak_of_a_device_follows_from_the_name_of_its_driver(driver, peak):
    assert peak_of(driver) == peak


def test_every_name_finds_itself_in_any_case():
    assert all(device_named(name.upper()) is device for name, device in HARDWARE.items())
