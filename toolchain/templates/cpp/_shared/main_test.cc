#include "check.h"

int main() { return failures == 0 ? 0 : 1; }
