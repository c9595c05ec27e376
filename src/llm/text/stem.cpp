// Basic forms of words, by rules and without a dictionary; see words.hpp. Wrong cuts do little harm, as the same word is cut in
// the same way everywhere.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "llm/text/words.hpp"

namespace dure::llm {
namespace text_stem {

constexpr std::string_view particles[] = {
    "은",     "는",     "이",   "가",   "을",     "를",     "의",     "에",     "에서",   "에서의", "에게", "에게서",
    "한테",   "한테서", "께",   "께서", "로",     "으로",   "로서",   "으로서", "로써",   "으로써", "와",   "과",
    "도",     "만",     "까지", "부터", "보다",   "처럼",   "마다",   "이나",   "나",     "이랑",   "랑",   "하고",
    "이라고", "라고",   "이란", "란",   "이라도", "라도",   "밖에",   "조차",   "마저",   "대로",   "만큼", "쯤",
    "정도",   "에는",   "에도", "에선", "로는",   "으로는", "까지는", "들",     "들이",   "들을",   "들의", "좀",
    "님",     "요",     "야",   "이야", "이에요", "예요",   "에요",   "입니다", "입니까", "인가요", "인가", "인지",
    "인데",   "이죠",   "죠",   "일까", "일까요", "이니",   "이지",   "였어",   "이었어"};

// What follows a noun that is made a verb, and the commonest endings of requests and questions.
constexpr std::string_view endings[] = {
    "해",     "해줘",   "해줘요",   "해주세요",   "해주라",       "해줄래", "해줄래요", "해줄",   "해달라고",
    "해다오", "해봐",   "해봐줘",   "해보자",     "해볼까",       "해볼래", "해서",     "해야",   "해야돼",
    "해야해", "해야지", "해도",     "해요",       "했어",         "했어요", "했니",     "했는데", "했습니다",
    "했나요", "하기",   "하고",     "하고싶어",   "하자",         "하니",   "하나요",   "하는",   "하는법",
    "하려고", "하려면", "하면",     "하지",       "하세요",       "할",     "할게",     "할게요", "할까",
    "할까요", "할래",   "할래요",   "한",         "한다",         "한다고", "합니다",   "합니까", "합시다",
    "함",     "하며",   "하여",     "하라고",     "하라",         "되는",   "되나",     "되나요", "된",
    "됐어",   "됐나",   "됐니",     "되면",       "돼",           "돼요",   "됩니까",   "됩니다", "되어",
    "시켜줘", "시켜",   "시키기",   "줘",         "줘요",         "주세요", "줄래",     "줄래요", "줄수있어",
    "부탁",   "부탁해", "부탁해요", "부탁드려요", "부탁드립니다", "중",     "용"};

struct Suffixes {
    Suffixes()
    {
        for (const auto& list : {std::vector<std::string_view>(std::begin(particles), std::end(particles)),
                                 std::vector<std::string_view>(std::begin(endings), std::end(endings))})
            for (const auto text : list)
                all.push_back(words_of(text).front().letters);
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    }
    std::vector<Letters> all;  // longest first
};

Letters stem_korean(Letters letters, std::size_t least_syllables)
{
    static const Suffixes suffixes;
    for (int round = 0; round < 2; ++round) {
        const auto cut = std::find_if(suffixes.all.begin(), suffixes.all.end(), [&](const Letters& suffix) {
            return letters.size() > suffix.size() && letters.ends_with(suffix) &&
                   syllables_of(letters) >= least_syllables + syllables_of(suffix);
        });
        if (cut == suffixes.all.end())
            break;
        letters.resize(letters.size() - cut->size());
    }
    return letters;
}

bool is_vowel(char32_t letter)
{
    return std::u32string_view(U"aeiouy").find(letter) != std::u32string_view::npos;
}

bool has_vowel(const Letters& letters, std::size_t count)
{
    return std::any_of(letters.begin(), letters.begin() + static_cast<std::ptrdiff_t>(count), is_vowel);
}

void cut(Letters& letters, std::size_t count)
{
    letters.resize(letters.size() - count);
}

// "shipped" has lost "ed", and now one of its two p. False when nothing was doubled.
bool undouble(Letters& letters)
{
    const auto size = letters.size();
    if (size <= 3 || letters[size - 1] != letters[size - 2] || is_vowel(letters[size - 1]))
        return false;
    if (letters[size - 1] != 'l' && letters[size - 1] != 's')  // "selling", "passing"
        cut(letters, 1);
    return true;
}

// One syllable that ends in a single consonant behind a single vowel, such as "plan" and "mak": with an e behind it, it is another
// word, or only then one.
bool differs_with_e(const Letters& letters)
{
    const auto size = letters.size();
    if (size < 3 || is_vowel(letters[size - 1]) || letters[size - 1] == 'w' || letters[size - 1] == 'x')
        return false;
    return is_vowel(letters[size - 2]) && !has_vowel(letters, size - 2);
}

void cut_plural(Letters& letters)
{
    const auto size = letters.size();
    if (size <= 3 || letters == U"news" || !letters.ends_with(U's') || letters.ends_with(U"ss") ||
        letters.ends_with(U"us") || letters.ends_with(U"is"))
        return;
    if (letters.ends_with(U"ies") && size > 4) {
        cut(letters, 3);
        letters.push_back('y');
    } else if (letters.ends_with(U"sses") || letters.ends_with(U"shes") || letters.ends_with(U"ches") ||
               letters.ends_with(U"xes")) {
        cut(letters, 2);
    } else {
        cut(letters, 1);
    }
}

// What is left of a verb behind "ing" or "ed": "making" gives "make".
void mend(Letters& letters)
{
    if (!undouble(letters) && differs_with_e(letters))
        letters.push_back('e');
}

Letters stem_english(Letters letters)
{
    cut_plural(letters);
    const auto size = letters.size();
    if (size > 5 && letters.ends_with(U"ing") && has_vowel(letters, size - 3)) {
        cut(letters, 3);
        mend(letters);
    } else if (size > 4 && letters.ends_with(U"ied")) {
        cut(letters, 3);
        letters.push_back('y');
    } else if (size > 4 && letters.ends_with(U"ed") && has_vowel(letters, size - 2)) {
        cut(letters, 2);
        mend(letters);
    }
    if (letters.size() > 3 && letters.back() == 'e' && !differs_with_e(letters.substr(0, letters.size() - 1)))
        cut(letters, 1);  // "changed" and "change" meet here
    return letters;
}

constexpr std::string_view fillers[] = {"a",          "an",       "the",        "of",           "to",       "for",
                                        "in",         "on",       "at",         "by",           "or",       "and",
                                        "with",       "from",     "as",         "is",           "are",      "be",
                                        "was",        "were",     "am",         "been",         "it",       "its",
                                        "this",       "that",     "these",      "those",        "there",    "here",
                                        "i",          "me",       "my",         "mine",         "we",       "us",
                                        "our",        "you",      "your",       "he",           "she",      "her",
                                        "his",        "they",     "them",       "their",        "what",     "which",
                                        "who",        "how",      "when",       "where",        "why",      "do",
                                        "does",       "did",      "done",       "can",          "could",    "will",
                                        "would",      "should",   "shall",      "may",          "might",    "must",
                                        "have",       "has",      "had",        "get",          "got",      "give",
                                        "gave",       "take",     "let",        "make",         "made",     "want",
                                        "need",       "like",     "please",     "tell",         "show",     "use",
                                        "used",       "using",    "if",         "not",          "no",       "yes",
                                        "so",         "up",       "about",      "any",          "some",     "all",
                                        "s",          "t",        "m",          "re",           "ll",       "d",
                                        "user",       "return",   "returns",    "given",        "specific", "specified",
                                        "one",        "more",     "such",       "tool",         "help",     "than",
                                        "then",       "into",     "out",        "other",        "also",     "via",
                                        "go",         "going",    "just",       "now",          "알려",     "알려줘",
                                        "알려주세요", "알려줄래", "알려줍니다", "알려드립니다", "줘",       "주세요",
                                        "줄래",       "좀",       "뭐",         "뭐야",         "뭐가",     "무엇",
                                        "어때",       "어떻게",   "어떤",       "얼마",         "얼마나",   "얼마야",
                                        "있어",       "있나",     "있는",       "있는지",       "있나요",   "없어",
                                        "해줘",       "해",       "하는",       "합니다",       "하고",     "싶어",
                                        "싶어요",     "수",       "것",         "거",           "게",       "그",
                                        "이",         "저",       "내",         "제",           "나",       "우리",
                                        "지금",       "등",       "및",         "또는",         "위해",     "통해",
                                        "대한",       "부탁",     "제발",       "반환",         "제공",     "사용",
                                        "사용자",     "입력",     "입력합니다", "받습니다",     "받아",     "가능",
                                        "도구",       "기능",     "현재",       "봐",           "봐줘",     "보여줘",
                                        "언제",       "어디",     "누구",       "왜",           "몇",       "더",
                                        "다",         "잘",       "한번",       "하나",         "이거",     "그거",
                                        "저거",       "여기",     "경우"};

std::unordered_set<std::u32string> filler_stems()
{
    std::unordered_set<std::u32string> all;
    for (const auto text : fillers)
        all.insert(stem_of(words_of(text).front()));
    return all;
}

}  // namespace text_stem

Letters stem_of(const Word& word, std::size_t least_syllables)
{
    if (word.writing == Writing::hangul)
        return text_stem::stem_korean(word.letters, least_syllables);
    return word.writing == Writing::latin ? text_stem::stem_english(word.letters) : word.letters;
}

bool is_filler(const Letters& stem)
{
    static const auto all = text_stem::filler_stems();
    return all.contains(stem);
}

}  // namespace dure::llm
