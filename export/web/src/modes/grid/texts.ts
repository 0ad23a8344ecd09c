import { EN, JA } from "../../generator/gridTexts.ts";
import { texts } from "../../mode.ts";

export default texts({ title: "Grid", ...EN }, { title: "一覧", ...JA });
