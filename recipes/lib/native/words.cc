// Counts the words of its input: containers, input and output, a thread and an exception of the C++ library.
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>

int main() {
    std::map<std::string, int> counts;
    for (std::string word; std::cin >> word;) ++counts[word];
    int total = 0;
    std::thread adder([&] {
        for (const auto &[word, count] : counts) total += count;
    });
    adder.join();
    try {
        return counts.at("two words");
    } catch (const std::out_of_range &) {
        std::cout << total << '\n';
    }
}
