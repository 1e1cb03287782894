-- Prints what the plugin offers and says, as JSON, for tests and tools: options, keys, commands,
-- all strings of the code, the messages among them, and the contents of the help page.
-- usage: nvim --headless -u NONE -l editor-client/nvim/scripts/export-interface.lua
local here = vim.fs.abspath(debug.getinfo(1, 'S').source:sub(2))
local plugin = vim.fs.dirname(vim.fs.dirname(here))
vim.opt.runtimepath:prepend(plugin)

local MESSAGE_FUNCTIONS = { 'info', 'warn', 'warn_once', 'show_progress', 'fail' }
local STRINGS = '(string content: (string_content) @string)'
-- A message may be a string, or a string with a method such as format() called on it.
local CALLS = [[
  (function_call
    name: [
      (identifier) @function
      (dot_index_expression field: (identifier) @function)
    ]
    arguments: (arguments . (_) @argument))
]]
local HELP = [[
  (tag text: (_) @tag)
  (taglink text: (_) @link)
  (code) @code
]]

---@param path string
---@return string
local function read_file(path)
  local file = assert(io.open(path))
  local text = file:read('*a')
  file:close()
  return text
end

--- Calls back for each capture of a query.
---@param text string
---@param language string
---@param query string
---@param callback fun(name: string, node: TSNode)
local function each_capture(text, language, query, callback)
  local tree = vim.treesitter.get_string_parser(text, language):parse()[1]
  local parsed = vim.treesitter.query.parse(language, query)
  for id, node in parsed:iter_captures(tree:root(), text) do
    callback(parsed.captures[id], node)
  end
end

--- Returns the first string below a node, the node included.
---@param node TSNode
---@param text string
---@return string?
local function find_string(node, text)
  if node:type() == 'string_content' then
    return vim.treesitter.get_node_text(node, text)
  end
  for child in node:iter_children() do
    local found = find_string(child, text)
    if found then
      return found
    end
  end
end

---@return { file: string, text: string }[] strings
---@return { file: string, text: string }[] messages
local function collect_texts()
  local strings, messages = {}, {}
  local files = vim.fn.glob(plugin .. '/lua/**/*.lua', false, true)
  for _, path in ipairs(vim.list_extend(files, { plugin .. '/plugin/parrotlet.lua' })) do
    local text, file = read_file(path), path:sub(#plugin + 2)
    each_capture(text, 'lua', STRINGS, function(_, node)
      strings[#strings + 1] = { file = file, text = vim.treesitter.get_node_text(node, text) }
    end)
    local name
    each_capture(text, 'lua', CALLS, function(capture, node)
      if capture == 'function' then
        name = vim.treesitter.get_node_text(node, text)
      elseif vim.list_contains(MESSAGE_FUNCTIONS, name) then
        local message = find_string(node, text)
        if message then
          messages[#messages + 1] = { file = file, text = message }
        end
      end
    end)
  end
  return strings, messages
end

---@return { tags: string[], links: string[], code: string[] }
local function collect_help()
  local help = { tags = {}, links = {}, code = {} }
  local lists = { tag = help.tags, link = help.links, code = help.code }
  local text = read_file(plugin .. '/doc/parrotlet.txt')
  each_capture(text, 'vimdoc', HELP, function(name, node)
    table.insert(lists[name], vim.treesitter.get_node_text(node, text))
  end)
  return help
end

--- Returns the options that the help page passes to setup() in its list of all defaults.
---@param code string[] The page's code blocks.
local function run_help_defaults(code)
  local options
  local environment = {
    require = function()
      return {
        setup = function(given)
          options = options or given
        end,
      }
    end,
  }
  local block = vim.iter(code):find(function(one)
    return one:find('setup({\n', 1, true) ~= nil
  end)
  setfenv(assert(loadstring(block)), environment)()
  local keys = vim.iter(code):find(function(one)
    return vim.startswith(vim.trim(one), 'keys = {')
  end)
  options.keys = assert(loadstring(keys .. ' return keys'))()
  return options
end

local config = require('parrotlet.config')
local strings, messages = collect_texts()
local help = collect_help()
local completions = {}
for name, subcommand in pairs(require('parrotlet.command').subcommands) do
  completions[name] = subcommand.complete and subcommand.complete('') or {}
end
print(vim.json.encode({
  options = config.defaults,
  actions = require('parrotlet.suggestions.keymap').ACTIONS,
  completions = completions,
  requirement = require('parrotlet.install.source').REQUIREMENT,
  strings = strings,
  messages = messages,
  help = { tags = help.tags, links = help.links, options = run_help_defaults(help.code) },
}))
