// The precompiled header of the test programs that a build with sanitizers compiles without optimizing: see tests/CMakeLists.txt.
#pragma once

#include "precompiled.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
