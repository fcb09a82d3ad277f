"""Writes the simulated tables of the workshop of 18/12/2019: papers, their themes, solutions, opinions.

Run as `python data/nga-bay/simulate_workshop.py [output folder]`; without a folder it writes into workshop/ beside
itself. What is public is that 21 papers came, from which kinds of organisation, and the six themes; titles,
codes, solutions and opinions are made up. Ten papers presented is the share of another workshop (10 of 22).
"""

# ruff: noqa: E501  (its tables are wide)
import csv
import io
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEED = 20191218
SIMULATED = "DỮ LIỆU MÔ PHỎNG"

THEMES = ("cchc", "dan_chu", "van_hoa", "tiep_dan", "cntt", "cham_lo", "lanh_dao")
# Organisation, kind, themes that the paper is about: the first is its main one.
PAPERS = (
    ("Sở Nội vụ", "so", "Một số giải pháp nâng cao chất lượng cải cách thủ tục hành chính ở cấp xã", "cchc cntt"),
    ("Sở Thông tin và Truyền thông", "so", "Ứng dụng công nghệ thông tin trong hoạt động hành chính cấp xã", "cntt"),
    ("Sở Tư pháp", "so", "Kiểm soát thủ tục hành chính và niêm yết công khai tại bộ phận một cửa", "cchc"),
    ("Ban Tiếp công dân tỉnh", "so", "Tiếp công dân và giải quyết đơn thư ngay từ cơ sở", "tiep_dan"),
    ("Sở Văn hóa, Thể thao và Du lịch", "so", "Văn hóa công sở: từ quy định đến thói quen", "van_hoa"),
    ("Khoa Nhà nước và Pháp luật", "khoa", "Cơ sở lý luận của chính quyền thân thiện cấp xã", "cchc dan_chu"),
    ("Khoa Xây dựng Đảng", "khoa", "Đổi mới phương thức lãnh đạo của Đảng đối với chính quyền cấp xã", "lanh_dao"),
    ("Khoa Dân vận", "khoa", "Dân chủ ở cơ sở và mối quan hệ giữa chính quyền với Nhân dân", "dan_chu tiep_dan"),
    ("Khoa Lý luận cơ sở", "khoa", "Đạo đức công vụ và nụ cười công sở", "van_hoa"),
    ("Phòng Nội vụ thị xã", "phong", "Thực trạng đội ngũ công chức bộ phận một cửa", "cchc van_hoa"),
    ("Phòng Tư pháp thị xã", "phong", "Hòa giải, đối thoại và giải quyết khiếu nại ở cơ sở", "tiep_dan"),
    ("Phòng Văn hóa và Thông tin thị xã", "phong", "Thực hiện quy tắc ứng xử ở xã, phường", "van_hoa"),
    ("Phòng Lao động - Thương binh và Xã hội thị xã", "phong", "Thực trạng công tác giảm nghèo ở thị xã", "cham_lo"),
    ("Thanh tra thị xã", "phong", "Nâng cao chất lượng đối thoại với Nhân dân", "tiep_dan dan_chu"),
    ("Văn phòng Hội đồng nhân dân và Ủy ban nhân dân thị xã", "phong", "Một cửa điện tử: kết quả và vướng mắc", "cntt cchc"),
    ("Ban Dân vận Thị ủy", "dang", "Thực hiện quy chế dân chủ trong cơ quan và ở cơ sở", "dan_chu"),
    ("Ban Tổ chức Thị ủy", "dang", "Trách nhiệm nêu gương của người đứng đầu cấp ủy, chính quyền xã", "lanh_dao van_hoa"),
    ("Ủy ban nhân dân phường Ngã Bảy", "xa", "Cải cách thủ tục hành chính ở phường Ngã Bảy: thực trạng và giải pháp", "cchc cntt"),
    ("Ủy ban nhân dân phường Ngã Bảy", "xa", "Chăm lo đời sống vật chất, tinh thần của người dân phường Ngã Bảy", "cham_lo"),
    ("Ủy ban nhân dân xã Hiệp Lợi", "xa", "Ứng dụng công nghệ thông tin ở xã Hiệp Lợi: thực trạng và giải pháp", "cntt cchc"),
    ("Ủy ban nhân dân xã Hiệp Lợi", "xa", "Tổ chức đối thoại và tiếp công dân ở xã Hiệp Lợi", "tiep_dan"),
)  # fmt: skip
SPOKEN = (1, 2, 4, 6, 7, 10, 14, 16, 18, 20)
SOLUTIONS = (
    ("Rà soát, niêm yết công khai đầy đủ thủ tục hành chính tại bộ phận một cửa", "3 6 18", "cap_xa", "task", "Có", "cchc"),
    ("Bố trí công chức có kỹ năng giao tiếp tại bộ phận một cửa, thực hiện quy tắc ứng xử", "5 9 10 12", "cap_xa", "function", "Có", "van_hoa; hai_long"),
    ("Tổ chức đối thoại hằng tháng với Nhân dân theo ấp, khu vực", "8 11 14 21", "cap_xa", "scope", "Có", "tiep_dan; dan_chu"),
    ("Chủ tịch Ủy ban nhân dân xã trực tiếp tiếp công dân theo lịch công khai", "4 21", "cap_xa", "authority", "Có", "tiep_dan"),
    ("Thăm hỏi, gửi thư chúc mừng, chia buồn với hộ gia đình", "13 19", "cap_xa", "task", "Có", "cham_lo"),
    ("Trang bị máy lấy số và màn hình tra cứu kết quả hồ sơ", "2 15 20", "cap_tren", "scope", "Có", "cntt"),
    ("Ban hành quy định về đánh giá chính quyền thân thiện hằng năm", "1 17", "cap_tren", "authority", "Không", "hai_long"),
    ("Mở lớp bồi dưỡng kỹ năng dân vận cho công chức cấp xã", "7 16", "cap_tren", "function", "Không", "van_hoa; dan_chu"),
    ("Kết nối một cửa điện tử của xã với cổng dịch vụ công của tỉnh", "2 15", "cap_tren", "task", "Không", "cntt; cchc"),
    ("Phát huy vai trò lãnh đạo của cấp ủy trong xây dựng chính quyền thân thiện", "7 17", "cap_tren", "function", "Không", ""),
)  # fmt: skip
# Organisation, kind, theme, place, opinion, decision, explanation, draft before, draft after.
OPINIONS = (
    ("Ủy ban Mặt trận Tổ quốc thị xã", "doan_the", "dan_chu", "Mục II.2", "Bổ sung cơ chế thông báo kết quả tiếp thu góp ý của Nhân dân", "Tiếp thu", "", "Tiếp nhận góp ý của Nhân dân.", "Tiếp nhận góp ý của Nhân dân và thông báo kết quả tiếp thu trong 15 ngày."),
    ("Hội Nông dân thị xã", "doan_the", "dan_chu", "Mục II.2", "Cần thông báo cho người góp ý biết kết quả", "Tiếp thu", "", "Tiếp nhận góp ý của Nhân dân.", "Tiếp nhận góp ý của Nhân dân và thông báo kết quả tiếp thu trong 15 ngày."),
    ("Sở Nội vụ", "so", "cchc", "Mục II.1", "Rút ngắn một nửa thời hạn giải quyết của mọi thủ tục", "Tiếp thu một phần", "Thời hạn do văn bản của cấp trên quy định; chỉ rút ngắn ở những bước thuộc thẩm quyền của xã.", "Giải quyết hồ sơ đúng hạn.", "Giải quyết hồ sơ đúng hạn; rút ngắn thời gian ở các bước thuộc thẩm quyền của xã."),
    ("Đoàn Thanh niên thị xã", "doan_the", "cntt", "Mục II.5", "Thành lập tổ hỗ trợ người dân nộp hồ sơ trực tuyến", "Tiếp thu", "", "", "Thành lập tổ hỗ trợ người dân nộp hồ sơ trực tuyến ở từng ấp, khu vực."),
    ("Ủy ban nhân dân phường Ngã Bảy", "xa", "cham_lo", "Mục II.6", "Giao chỉ tiêu thu nhập bình quân cho chính quyền thân thiện", "Không tiếp thu", "Thu nhập phụ thuộc nhiều yếu tố ngoài phạm vi của mô hình.", "", ""),
    ("Ủy ban nhân dân xã Hiệp Lợi", "xa", "tiep_dan", "Mục II.4", "Đối thoại mỗi quý một lần thay vì mỗi tháng", "Không tiếp thu", "Đối thoại hằng tháng là nội dung thực nghiệm cần giữ nguyên để đánh giá.", "Đối thoại mỗi tháng một lần.", "Đối thoại mỗi tháng một lần."),
    ("Ban Dân vận Thị ủy", "dang", "lanh_dao", "Mục III", "Nêu rõ trách nhiệm của người đứng đầu", "Tiếp thu một phần", "Trách nhiệm chung đã có trong quy chế làm việc; chỉ bổ sung phần về mô hình.", "Cấp ủy lãnh đạo thực hiện mô hình.", "Cấp ủy lãnh đạo thực hiện mô hình; người đứng đầu báo cáo kết quả hằng quý."),
    ("Phòng Văn hóa và Thông tin thị xã", "phong", "van_hoa", "Mục II.3", "Bỏ bảng «nụ cười công sở», thay bằng quy tắc ứng xử chung", "Tiếp thu", "", "Treo bảng «nụ cười công sở».", "Niêm yết quy tắc ứng xử chung tại bộ phận một cửa."),
)  # fmt: skip


def themes(rng: np.random.Generator) -> list[list[str]]:
    """What three coders wrote down: each sees the paper's themes, with slips; the third coded 15 papers only."""
    rows = []
    for coder, (miss, more) in {"Người 1": (0.04, 0.05), "Người 2": (0.08, 0.10), "Người 3": (0.06, 0.08)}.items():
        coded = sorted(rng.choice(len(PAPERS), 15, replace=False)) if coder == "Người 3" else range(len(PAPERS))
        for at in coded:
            first, *others = PAPERS[at][3].split()
            if rng.random() < miss:
                first = str(rng.choice([theme for theme in THEMES[:5] if theme != first]))
            found = [first, *(theme for theme in others if rng.random() > 3 * miss)]
            if rng.random() < more:
                found.append(str(rng.choice(THEMES[:5])))
            rows.append([_code(at + 1), coder, "; ".join(dict.fromkeys(found))])
    return rows


def tables() -> dict[str, list[list[str]]]:
    """Every table with its header, the simulated mark above it."""
    coded = themes(np.random.default_rng(SEED))
    both = {row[0]: [set(other[2].split("; ")) for other in coded if other[0] == row[0]] for row in coded}
    shared = {
        paper for paper, found in both.items() if any(2 * sum(t in one for one in found) > len(found) for t in THEMES)
    }
    together = [
        [_code(at), "Thống nhất", "; ".join(PAPERS[at - 1][3].split())]
        for at in range(1, 22)
        if _code(at) not in shared
    ]
    return {
        "tham_luan.csv": [
            ["Mã bài", "Tên tham luận", "Cơ quan", "Loại cơ quan", "Đã trình bày"],
            *(
                [_code(at), title, organisation, kind, "Có" if at in SPOKEN else "Không"]
                for at, (organisation, kind, title, _) in enumerate(PAPERS, start=1)
            ),
        ],
        "chu_de.csv": [["Mã bài", "Người mã hóa", "Chủ đề"], *coded, *together],
        "giai_phap.csv": [
            ["Mã giải pháp", "Nội dung", "Các bài đề xuất", "Nhóm giải pháp", "Căn cứ", "Đã thực hiện trong thí điểm", "Chỉ số"],
            *(
                [f"GP{at:02}", words, "; ".join(_code(int(n)) for n in papers.split()), group, level, piloted, indicators]
                for at, (words, papers, group, level, piloted, indicators) in enumerate(SOLUTIONS, start=1)
            ),
        ],
        "gop_y.csv": [
            ["Mã ý kiến", "Cơ quan", "Loại cơ quan", "Chủ đề", "Mục của dự thảo", "Nội dung", "Kết quả tiếp thu",
             "Giải trình", "Dự thảo trước", "Dự thảo sau"],
            *([f"YK{at:02}", *row] for at, row in enumerate(OPINIONS, start=1)),
        ],
    }  # fmt: skip


def _code(at: int) -> str:
    return f"TL{at:02}"


def main(folder: Path) -> None:
    """Write every table, as Excel reads it: UTF-8 with a byte-order mark."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables().items():
        stream = io.StringIO(newline="")
        csv.writer(stream).writerows([[SIMULATED, *[""] * (len(rows[0]) - 1)], *rows])
        (folder / name).write_bytes(stream.getvalue().encode("utf-8-sig"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "workshop")
