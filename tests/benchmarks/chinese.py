"""An alphabet beyond Latin: the whole chain of scripts on common Chinese characters, from two starts."""

from functools import partial
from pathlib import Path

from tests.benchmarks.runs import Config, Run, call, shipped_config, write_config

FONT = "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"  # of Debian's fonts-wqy-zenhei
COUNT, SEED, SIZE = 20_000, 21, (160, 60)
CHARACTERS = (  # 500 of the most common ones, of which one is drawn like any other
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政"
    "美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员"
    "解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件"
    "计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象"
    "完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔风步改收"
    "根干造言联持组每济车亲极林服快办议往元英士证近失转夫令准布始怎呢存未远叫台单影具罗字爱击流备兵连调深"
    "商算质团集百需价花党华城石级整府离况亚请技际约示复病息究线似官火断精满支视消越器容照须九增研写称企八"
    "功吗包片史委乎查轻易早曾除农找装广显吧阿李标谈吃图念六引历首医局突专费号尽另周较注语仅考落青随选列句"
)


def chinese(*options: str) -> Run:
    """The training on all but 5% of the pictures, which are the script's own test set."""
    name = "-".join(["chinese", *(one.strip("-") for one in options)])
    return Run(name, prepare, options=options, about={"options": list(options)})


def prepare(folder: Path) -> Config:
    """Draw pictures, collect the characters of their labels, and split them, each by its script."""
    drawn = {"root_dir": str(folder / "sample" / "origin"), "image_suffix": "png", "characters": CHARACTERS}
    look, base = folder / "captcha.json", folder / "base.json"
    write_config(look, drawn | {"count": COUNT, "char_count": 4, "width": SIZE[0], "height": SIZE[1]})
    config = shipped_config(
        folder,
        image_width=SIZE[0],
        image_height=SIZE[1],
        use_labels_json_file=True,
        labels_json_file=str(folder / "labels.json"),
    )
    write_config(base, config)
    done, run = folder / "split", partial(call, log=folder / "prepare.log")
    if not done.exists():
        run("gen_image/gen_sample_by_captcha.py", "--config", str(look), "--seed", str(SEED), "--fonts", FONT)
        run("gen_image/collect_labels.py", "--config", str(base))
        run("verify_and_split_data.py", "--config", str(base))
        done.touch()
    return config


RUNS = (chinese("--warm-start", "auto"), chinese("--warm-start", "none"))
