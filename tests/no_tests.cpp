// SPDX-License-Identifier: Apache-2.0
// The test program of a folder that has no tests in this build.
int main() { return 0; }
