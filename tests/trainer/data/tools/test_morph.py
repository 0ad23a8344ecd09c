"""The tool that makes images between images: the arithmetic of each method, which pairs, what is known of them."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from bad_images import photo
from commands import run_tools
from drawn_faces import NEEDS_FACES, draw_face, shared_finder

from trainer.contract.errors import UserError
from trainer.data.__main__ import main
from trainer.data.faces.affine import grid
from trainer.data.faces.cutter import cut, fit_face
from trainer.data.faces.landmarks import JAW, Finder
from trainer.data.sources.npy_set import ImageSet
from trainer.data.tools import morph
from trainer.data.tools.morph import pairs_of
from trainer.data.tools.morph.mesh import Pose, by_mesh, mean_face
from trainer.data.tools.morph.warp import by_flow, consistent_flow, mix, piecewise, spline, triangulate

METHODS = [*morph.BY_POINTS, "flow"]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["morph", *map(str, arguments)])
    return int(ended.value.code or 0)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(((a.astype(float) - b) ** 2).mean())
    return float("inf") if not error else float(10 * np.log10(255**2 / error))


def turned_by(yaw: float, mean: np.ndarray | None = None) -> np.ndarray:
    """The mean face seen from a side, degrees, in an image of 128 pixels: f32 [73, 2]."""
    rotation = cv2.Rodrigues(np.radians([[5.0], [yaw], [3.0]]))[0]
    return Pose(rotation, 35.0, np.array([64.0, 40.0])).project(mean_face() if mean is None else mean)[:, :2]


class Pair(NamedTuple):
    images: np.ndarray  # u8 [2, 128, 128, 3]
    points: list[np.ndarray]


@pytest.fixture(scope="module")
def finder() -> Finder:
    return shared_finder()


@pytest.fixture(scope="module")
def pair(finder: Finder) -> Pair:
    """Two drawn faces; the second one looks aside, as far as one can make a plane look aside."""
    images = [draw_face(seed).image for seed in (0, 5)]
    first, second = (cut(image, points, 128, 0.3) for image in images if (points := finder.find(image)) is not None)
    places = grid(128, 128)
    places[..., 0] += 6 * np.sin(places[..., 0] / 128 * np.pi)
    second = cv2.remap(second, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    found = [finder.find(image) for image in (first, second)]
    return Pair(np.stack([first, second]), [points for points in found if points is not None])


def morphed(pair: Pair, method: str, alpha: float) -> np.ndarray:
    if method == "flow":
        return mix(*pair.images, by_flow(*pair.images, alpha))
    return mix(*pair.images, morph.BY_POINTS[method](*pair.points, alpha, 128, 128))


@NEEDS_FACES
@pytest.mark.parametrize("method", METHODS)
def test_the_ends_are_the_images_themselves(pair: Pair, method: str) -> None:
    assert psnr(morphed(pair, method, 0.0), pair.images[0]) > 40
    assert psnr(morphed(pair, method, 1.0), pair.images[1]) > 40
    assert psnr(pair.images[0], pair.images[1]) < 25


@NEEDS_FACES
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_a_mixture_has_the_shape_between(pair: Pair, method: str, alpha: float, finder: Finder) -> None:
    found = finder.find(morphed(pair, method, alpha))
    assert found is not None
    expected = (1 - alpha) * pair.points[0] + alpha * pair.points[1]
    inner = slice(17, 68)
    assert np.linalg.norm(found - expected, axis=1)[inner].mean() < 2
    assert np.linalg.norm(pair.points[0] - pair.points[1], axis=1)[inner].mean() > 4


def test_triangles_cover_the_image_and_keep_affine_maps() -> None:
    random = np.random.default_rng(0)
    rim = np.array([(x, y) for x in (0, 40) for y in (0, 30)])
    points = np.concatenate([rim, random.uniform(1, 29, (30, 2)), [[5.5, 5.5], [5.5, 5.5]]]).astype(np.float32)
    corners = triangulate(points)
    assert np.unique(corners).size == len(points) - 1  # of two points in one place one counts
    values = points @ np.array([[2.0, 0, 1], [0.5, -1, 1]]) + (3, 4, 5)
    expected = grid(31, 41) @ np.array([[2.0, 0, 1], [0.5, -1, 1]]) + (3, 4, 5)
    assert np.abs(piecewise(points, values, corners, 31, 41) - expected).max() < 1e-2
    # Delaunay: no point lies in the circle about a triangle.
    for a, b, c in points[corners]:
        system = 2 * np.stack([b - a, c - a]).astype(float)
        if abs(np.linalg.det(system)) > 1:
            centre = np.linalg.solve(system, [b @ b - a @ a, c @ c - a @ a])
            assert (np.linalg.norm(points - centre, axis=1) > np.linalg.norm(a - centre) - 1e-2).all()


def test_a_spline_meets_its_points_and_keeps_affine_maps() -> None:
    points = np.random.default_rng(1).integers(0, 40, (12, 2)).astype(np.float32)
    affine = points @ np.array([[0.2, 0.1], [0.0, -0.3]]) + (1, 2)
    expected = grid(40, 40) @ np.array([[0.2, 0.1], [0.0, -0.3]]) + (1, 2)
    assert np.abs(spline(points, affine, 40, 40) - expected).max() < 1e-2
    moves = np.zeros((12, 2))
    moves[3] = 4, -2
    found = spline(points, moves, 40, 40)
    columns, rows = points.astype(int).T
    assert np.abs(found[rows, columns] - moves).max() < 0.1


def test_a_pose_is_found_and_undone() -> None:
    mean = mean_face()
    for yaw in (-35, 0, 20):
        points = turned_by(yaw)
        pose = Pose.fit(points, mean)
        turn = cv2.Rodrigues(pose.rotation)[0][1, 0]
        assert np.degrees(turn) == pytest.approx(yaw, abs=1)
        assert np.abs(pose.shape(points, mean[:, 2]) - mean).max() < 1e-6


def test_heads_turned_apart_meet_from_the_front_and_not_squeezed() -> None:
    left, right, front = (turned_by(yaw)[:68].astype(np.float32) for yaw in (-35, 35, 0))
    width = float(np.ptp(front[JAW, 0]))
    assert np.ptp((left + right)[JAW, 0] / 2) < 0.9 * width  # what averaging in the plane makes of them
    field = by_mesh(left, right, 0.5, 128, 128)
    for number in (30, 36, 45, 48, 54):  # tip of the nose, eyes, mouth
        x, y = np.rint(front[number]).astype(int)
        assert np.linalg.norm(field.first[y, x] - left[number]) < 2.5, number
        assert np.linalg.norm(field.second[y, x] - right[number]) < 2.5, number
    weight = np.asarray(field.weight)
    y = round(float(front[30, 1]))
    # A head that looks to the viewer's left shows more of its cheek on the right.
    near = [weight[y, round(float(front[33, 0])) + side * 18] for side in (-1, 1)]
    nose = [float(points[30, 0] - points[JAW, 0].mean()) for points in (left, right)]
    assert (near[0] > near[1]) == (nose[1] > nose[0])
    assert abs(near[0] - near[1]) > 0.2


def test_flow_finds_what_has_moved() -> None:
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (96, 120, 3), np.uint8), (0, 0), 3)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    places = grid(96, 120)
    moves = np.stack([5 * np.sin(places[..., 1] / 30), 4 * np.cos(places[..., 0] / 40)], 2)
    moved = cv2.remap(image, places - moves, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    inner = (slice(16, -16), slice(16, -16))
    found = consistent_flow(image, (0.6 * moved + 40).astype(np.uint8))  # in another light
    assert np.abs(found - moves)[inner].mean() < 1
    back = consistent_flow(moved, image)
    assert np.abs(back + moves)[inner].mean() < 1.5
    halfway = mix(image, moved, by_flow(image, moved, 0.5))
    expected = cv2.remap(image, places - moves / 2, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    faded = (image.astype(int) + moved) // 2
    assert psnr(halfway[inner], expected[inner]) > psnr(faded[inner], expected[inner]) + 6


@pytest.mark.parametrize("shape", [(16, 16, 1), (40, 200, 3), (300, 170, 3)])
def test_flow_takes_images_of_any_size_and_grey_ones(shape: tuple[int, int, int]) -> None:
    images = [np.ascontiguousarray(photo(shape[0], shape[1])[..., : shape[2]]) for _ in range(2)]
    images[1] = np.roll(images[1], 3, 1)
    assert mix(images[0], images[1], by_flow(images[0], images[1], 0.5)).shape == shape


def test_pairs_come_once_each() -> None:
    random = np.random.default_rng(0)
    items = np.array([2, 3, 5, 7, 11])

    def pairs(
        items: np.ndarray, labels: np.ndarray | None, count: int, random: np.random.Generator
    ) -> list[tuple[int, ...]]:
        return [tuple(pair) for pair in pairs_of(items, labels, count, random).tolist()]

    everything = [(a, b) for k, a in enumerate(items.tolist()) for b in items.tolist()[k + 1 :]]
    assert sorted(pairs(items, None, 0, random)) == sorted(pairs(items, None, 99, random)) == everything
    for count in (3, 8):
        drawn = pairs(items, None, count, np.random.default_rng(count))
        assert len(set(drawn)) == count
        assert set(drawn) <= set(everything)
        assert drawn == pairs(items, None, count, np.random.default_rng(count))
    labels = np.array([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1])
    assert sorted(pairs(items, labels, 0, random)) == [(2, 5), (2, 11), (3, 7), (5, 11)]
    assert not pairs(items[:1], None, 0, random)
    assert not pairs(items[:0], None, 0, random)
    many = pairs_of(np.arange(100_000), None, 1000, random)
    firsts, seconds = many.T
    assert (firsts < seconds).all()
    assert len(np.unique(many, axis=0)) == 1000
    assert 20_000 < firsts.mean() < 45_000 < seconds.mean() < 80_000  # 33,333 and 66,667
    assert pairs_of(np.arange(2000), None, 0, random)[-1].tolist() == [1998, 1999]
    with pytest.raises(UserError, match=str(100_000 * 99_999 // 2)):
        pairs_of(np.arange(100_000), None, 0, random)


def write(path: Path, labels: list[int] | None, count: int = 5) -> Path:
    np.save(path, np.stack([np.roll(photo(24, 24), 2 * k, 1) for k in range(count)]))
    if labels is not None:
        sidecar = {"labels": labels, "classes": ["cat", "dog"], "names": list("abcde")[:count]}
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def test_pairs_of_one_class_keep_it_and_others_have_one_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "in.npy", [0, 1, 0, 1, 0])
    assert run(source, "-o", tmp_path / "all.npy", "--method", "flow") == 0
    assert "10 images of 24x24 px, between 5 by flow, alpha 0.5" in capsys.readouterr().out
    made = ImageSet(tmp_path / "all.npy")
    assert made.sidecar.classes == ("cat", "dog", "cat + dog")
    assert made.sidecar.labels is not None
    kinds = dict(zip(made.sidecar.names, made.sidecar.labels.tolist(), strict=True))
    assert [kinds[name] for name in ("a + b", "a + c", "b + d", "c + d", "d + e")] == [2, 0, 1, 2, 2]
    images = ImageSet(source)[np.arange(5)]
    number = made.sidecar.names.index("b + d")
    assert (made[np.array([number])][0] == mix(images[1], images[3], by_flow(images[1], images[3], 0.5))).all()

    assert run(source, "-o", tmp_path / "within.npy", "--method", "flow", "--within") == 0
    sidecar = ImageSet(tmp_path / "within.npy").sidecar
    assert (sidecar.names, sidecar.classes) == (("a + c", "a + e", "c + e", "b + d"), ("cat", "dog"))
    assert run(source, "-o", tmp_path / "end.npy", "--method", "flow", "--alpha", "1") == 0
    end = ImageSet(tmp_path / "end.npy")
    assert end.sidecar.labels is not None
    assert end.sidecar.labels.tolist() == [[0, 1, 0, 1, 0]["abcde".index(name[-1])] for name in end.sidecar.names]


def test_a_seed_makes_the_same_set_again(tmp_path: Path) -> None:
    source = write(tmp_path / "in.npy", None)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        command = (source, "-o", tmp_path / f"{name}.npy", "--method", "flow", "--pairs", 4, "--seed", seed)
        assert run(*command, "--workers", "2" if name == "b" else "1") == 0
    a, b, c = ((tmp_path / f"{name}.npy").read_bytes() for name in "abc")
    assert a == b != c


def test_mistakes_are_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "in.npy", None)
    single = write(tmp_path / "one.npy", None, 1)
    monkeypatch.setattr(morph, "MOST_PAIRS", 9)
    monkeypatch.setattr(morph, "mix", lambda *_: pytest.fail("it has begun"))
    for command, message in (
        ((source, "-o", source, "--method", "flow", "--force"), "is an input as well"),
        ((source, "-o", tmp_path / "out.npy", "--alpha", "1.5"), "--alpha is 1.5, expected 0 to 1"),
        ((source, "-o", tmp_path / "out.npy", "--within", "--method", "flow"), "has no labels"),
        ((source, "-o", tmp_path / "out.npy", "--method", "flow"), "has 10 pairs, expected --pairs 9 or less"),
        ((single, "-o", tmp_path / "out.npy", "--method", "flow"), "expected two or more"),
    ):
        assert run(*command) == 2
        assert message in capsys.readouterr().err
    usage = morph.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(morph.shutil, "disk_usage", lambda _: usage._replace(free=5000))
    assert run(source, "-o", tmp_path / "out.npy", "--method", "flow", "--pairs", "3") == 2
    assert "expected fewer --pairs" in capsys.readouterr().err
    assert not (tmp_path / "out.npy").exists()


@NEEDS_FACES
def test_images_without_a_face_are_left_out(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(morph, "Finder", shared_finder)
    np.save(tmp_path / "in.npy", np.stack([pair.images[0], photo(128, 128), pair.images[1]]))
    assert run(tmp_path / "in.npy", "-o", tmp_path / "out.npy", "--method", "mesh") == 0
    said = capsys.readouterr()
    assert said.err == "no face found in 1 image: image 1\n"
    assert "1 images without a face" in said.out
    made = ImageSet(tmp_path / "out.npy")
    assert made.sidecar.names == ("0 + 2",)
    assert (made[np.array([0])][0] == morphed(pair, "mesh", 0.5)).all()
    np.save(tmp_path / "none.npy", np.stack([photo(128, 128)] * 2))
    assert run(tmp_path / "none.npy", "-o", tmp_path / "no.npy") == 2
    assert "0 of the 2 images" in capsys.readouterr().err


@NEEDS_FACES
@pytest.mark.slow
@pytest.mark.parametrize("method", ["mesh", "flow"])
def test_a_large_output_takes_little_memory(finder: Finder, tmp_path: Path, method: str) -> None:
    faces = [fit_face(finder, draw_face(seed).image, 256, 256) for seed in range(48)]
    np.save(tmp_path / "in.npy", np.stack(faces))
    command = ["morph", "in.npy", "-o", "out.npy", "--method", method, "--workers", "2"]
    (end,) = run_tools([{"arguments": command, "seconds": 600}], tmp_path)
    assert end["code"] == 0, end
    assert (tmp_path / "out.npy").stat().st_size > 2e8
    assert end["megabytes"] < 400, end["megabytes"]
