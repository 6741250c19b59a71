// What commands leave with.
#pragma once

#include "core/base/refuse.h"
