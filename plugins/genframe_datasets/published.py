"""Data sets that have a name: which files they were published as, where, and how those are recognised.

Names do not tell files apart (MNIST and Fashion-MNIST share theirs), contents do. The digests are SHA-256; each belongs
to a file whose published MD5 is the one that its authors or torchvision give.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file of a set.

    Attributes:
        name: of the file.
        size: in bytes.
        sha256: of the file; empty where only its start is known.
        unpacked: the size and the SHA-256 of what a gzipped file unpacks to, so that it may be packed anew or not at
            all; None where unknown.
        start: the length and the SHA-256 of the first part of the file, where no more is known.
    """

    name: str
    size: int
    sha256: str = ""
    unpacked: tuple[int, str] | None = None
    start: tuple[int, str] | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedSet:
    """One set.

    Attributes:
        name: what users type.
        title: what people call it.
        summary: one line, for listings.
        classes: their names, in index order.
        files: as they are published.
        mirrors: addresses, ending in a slash, under which each of the files lies; tried in turn.
        loose: another form that the set is found in, such as what its archive unpacks to.
        folder: where such files lie, below the folder of the set.
    """

    name: str
    title: str
    summary: str
    classes: tuple[str, ...]
    files: tuple[PublishedFile, ...]
    mirrors: tuple[str, ...]
    loose: tuple[PublishedFile, ...] = ()
    folder: str = ""


DIGITS = tuple("0123456789")

#: The four files of an IDX set, training part first.
IDX_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

MNIST = PublishedSet(
    name="mnist",
    title="MNIST",
    summary="70,000 handwritten digits, 28x28 grey",
    classes=DIGITS,
    files=(
        PublishedFile(
            name=IDX_NAMES[0],
            size=9_912_422,
            sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            unpacked=(47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        ),
        PublishedFile(
            name=IDX_NAMES[1],
            size=28_881,
            sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            unpacked=(60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        ),
        PublishedFile(
            name=IDX_NAMES[2],
            size=1_648_877,
            sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            unpacked=(7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        ),
        PublishedFile(
            name=IDX_NAMES[3],
            size=4_542,
            sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            unpacked=(10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ),
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)

FASHION_MNIST = PublishedSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    summary="70,000 pictures of clothing, 28x28 grey",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=(
        PublishedFile(
            name=IDX_NAMES[0],
            size=26_421_880,
            sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        PublishedFile(
            name=IDX_NAMES[1],
            size=29_515,
            sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        PublishedFile(
            name=IDX_NAMES[2],
            size=4_422_102,
            sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        PublishedFile(
            name=IDX_NAMES[3],
            size=5_148,
            sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
)

CIFAR10 = PublishedSet(
    name="cifar10",
    title="CIFAR-10",
    summary="60,000 photographs of ten things, 32x32 colour",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    files=(
        PublishedFile(
            name="cifar-10-binary.tar.gz",
            size=170_052_171,
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    mirrors=(
        "https://www.cs.toronto.edu/~kriz/",
        "https://cave.cs.toronto.edu/kriz/",
    ),
    loose=(
        PublishedFile(
            name="data_batch_1.bin",
            size=30_730_000,
            start=(15_365_000, "25c919756e77f926c2ce5d52f3af2a33de8d75ff7868e4fcd0fa499745217b8d"),
        ),
        PublishedFile(name="data_batch_2.bin", size=30_730_000),
        PublishedFile(name="data_batch_3.bin", size=30_730_000),
        PublishedFile(name="data_batch_4.bin", size=30_730_000),
        PublishedFile(name="data_batch_5.bin", size=30_730_000),
        PublishedFile(
            name="test_batch.bin",
            size=30_730_000,
            start=(3_073_000, "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5"),
        ),
    ),
    folder="cifar-10-batches-bin",
)

SVHN = PublishedSet(
    name="svhn",
    title="SVHN",
    summary="99,289 house numbers in street photographs, a digit each, 32x32 colour",
    classes=DIGITS,
    files=(
        PublishedFile(
            name="train_32x32.mat",
            size=182_040_794,
            sha256="435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
        PublishedFile(
            name="test_32x32.mat",
            size=64_275_384,
            sha256="cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ),
    mirrors=("http://ufldl.stanford.edu/housenumbers/",),
)

#: Every set, by name.
SETS = {record.name: record for record in (MNIST, FASHION_MNIST, CIFAR10, SVHN)}
