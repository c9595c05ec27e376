// Logger: what is written at once, and what is written together within its delay.
#include "dure/base/log.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "dure/base/clock.hpp"
#include "dure/base/json.hpp"

namespace dure {

namespace {

class LogFile : public testing::Test {
public:
    ~LogFile() override { std::filesystem::remove(path_); }

protected:
    std::string content() const
    {
        std::stringstream all;
        all << std::ifstream(path_).rdbuf();
        return all.str();
    }
    bool appears(std::string_view text) const
    {
        const auto end = Steady::now() + std::chrono::seconds(20);
        while (Steady::now() < end)
            if (content().find(text) != std::string::npos)
                return true;
        return false;
    }

    std::filesystem::path path_ = std::filesystem::temp_directory_path() / ("dure-log-" + new_id());
};

TEST_F(LogFile, LinesOfRequestsAppearByThemselvesEachTime)
{
    Logger logger({.level = LogLevel::info, .json = true, .file = path_.string()});
    logger.write_soon(LogLevel::info, "request finished", {{"request_id", "first"}});
    EXPECT_TRUE(appears("\"first\""));
    logger.write_soon(LogLevel::info, "request finished", {{"request_id", "second"}});
    EXPECT_TRUE(appears("\"second\""));
}

TEST(Log, AFileThatCannotBeWrittenIsNamedByItsKey)
{
    try {
        Logger logger({.level = LogLevel::info, .json = true, .file = std::filesystem::temp_directory_path().string()});
        FAIL() << "a folder is no log";
    } catch (const std::runtime_error& problem) {
        EXPECT_TRUE(std::string_view(problem.what()).starts_with("log.file: ")) << problem.what();
    }
}

TEST_F(LogFile, AnOrdinaryLineTakesThoseBeforeItAlongInTheirOrder)
{
    Logger logger({.level = LogLevel::info, .json = true, .file = path_.string()});
    logger.write_soon(LogLevel::info, "request finished", {{"request_id", "first"}});
    logger.warn("something else");
    const auto written = content();
    EXPECT_LT(written.find("\"first\""), written.find("something else"));
    EXPECT_NE(written.find("something else"), std::string::npos);
}

TEST_F(LogFile, ALineHasAtMostEightKibibytesAndStaysJson)
{
    const std::string value(5000, 'x');
    {
        Logger logger({.level = LogLevel::info, .json = true, .file = path_.string()});
        logger.info(
            "much",
            {{"one", value}, {"two", value}, {"three", value}, {"four", value}, {"five", value}, {"six", value}});
    }
    const auto line = content();
    EXPECT_LE(line.size(), 8U * 1024);
    const auto read = Json::parse(line);
    EXPECT_EQ(read.at("event"), "much");
    EXPECT_EQ(read.at("truncated"), true);
}

TEST_F(LogFile, NothingWaitsWhenTheLoggerEndsAndNothingBelowTheLevelIsWritten)
{
    {
        Logger logger({.level = LogLevel::info, .json = true, .file = path_.string()});
        logger.write_soon(LogLevel::debug, "request finished", {{"request_id", "probe"}});
        logger.write_soon(LogLevel::info, "request finished", {{"request_id", "last"}});
    }
    EXPECT_NE(content().find("\"last\""), std::string::npos);
    EXPECT_EQ(content().find("probe"), std::string::npos);
}

}  // namespace

}  // namespace dure
