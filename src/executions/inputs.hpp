// Public now: dure/executions/inputs.hpp.
#pragma once

#include "dure/executions/inputs.hpp"
