import { EN, JA } from "../../generator/gridTexts.ts";
import { texts } from "../../mode.ts";

export default texts({ title: "Detail", ...EN }, { title: "細部", ...JA });
