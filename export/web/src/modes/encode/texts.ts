import { texts } from "../../mode.ts";

export default texts(
  {
    title: "Photo", drop: "Drop a photograph here, or choose one: the model makes it again, and leads on from it.",
    photo: "Choose a photo", class: "Class", second: "Second photo", play: "Walk", pause: "Pause", other: "Somewhere else",
    original: "photograph", made: "made by the model", position: "On the way", reset: "Undo edits",
    principal: "principal {number}", empty: "no photograph yet", described: "{name}, made again by the model; {percent} % on the way elsewhere",
    keyPlay: "walk from the photograph to elsewhere and back, pause", keyOther: "to somewhere else",
    keyClass: "this class, the next, the one before (if the model has classes)",
    keyMove: "along the way", keyEnds: "to the photograph, to the other end", keySave: "save the image",
    keySaveAll: "save the photograph and the image",
  },
  {
    title: "写真", drop: "ここに写真をドロップするか、選んでください。モデルがそれを作り直し、そこから先へ進めます。",
    photo: "写真を選ぶ", class: "クラス", second: "2 枚目の写真", play: "散歩", pause: "一時停止", other: "別の場所へ",
    original: "写真", made: "モデルが作った画像", position: "道のり", reset: "編集を戻す",
    principal: "主成分 {number}", empty: "写真はまだありません", described: "{name} をモデルが作り直したもの。道のりの {percent} %",
    keyPlay: "写真から別の場所への往復の散歩、一時停止", keyOther: "別の場所へ",
    keyClass: "このクラス、次、前(クラスのあるモデル)",
    keyMove: "道に沿って動かす", keyEnds: "写真へ、反対の端へ", keySave: "画像を保存",
    keySaveAll: "写真と画像を保存",
  },
); // prettier-ignore
